import type { SeriesActivation, Series } from "../instruction.ts";
import { erf } from "../../../layers/reference/erf.ts";

/** Points of the trapezoid rule on [0, B]: the integrands are smooth and end flat or at a corner of the reflection. */
const POINTS = 1 << 13;

const FUNCTIONS: Readonly<Record<SeriesActivation, (x: number) => number>> = {
  gelu: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  geluTanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  silu: (x) => x / (1 + Math.exp(-x)),
};

const fitted = new Map<string, Series>();

/**
 * g(x) = f(x) - x/2, which is even, on [-bound, bound]: g(x) - g(bound) reflected at +-bound is a smooth triangle wave, so odd cosines
 * of period 4 * bound are all it has (smpc.md, gate 4). Takes the fewest terms whose largest error is at most `maxError`.
 * `bound` is a power of two (RangeError).
 */
export function activationSeries(kind: SeriesActivation, bound: number, maxError: number): Series {
  const periodBits = Math.log2(4 * bound);
  if (!Number.isInteger(periodBits)) throw new RangeError(`${kind}: expected a power of two as bound, got ${bound}`);
  const key = `${kind} ${bound} ${maxError}`;
  let series = fitted.get(key);
  if (series === undefined) {
    series = fit(kind, bound, periodBits, maxError);
    fitted.set(key, series);
  }
  return series;
}

function fit(kind: SeriesActivation, bound: number, periodBits: number, maxError: number): Series {
  const f = FUNCTIONS[kind];
  const constant = f(bound) - bound / 2;
  const rest = Float64Array.from({ length: POINTS + 1 }, (_, i) => {
    const x = (i / POINTS) * bound;
    return f(x) - x / 2 - constant;
  });
  const harmonics: number[] = [];
  const cos: number[] = [];
  let worst = Infinity;
  // The cosines are orthogonal: each term is the same whatever comes after it.
  while (worst > maxError && harmonics.length < 4 * bound) {
    const h = 2 * harmonics.length + 1;
    let sum = 0;
    for (let i = 0; i <= POINTS; i++)
      sum += (i === 0 || i === POINTS ? 0.5 : 1) * rest[i] * Math.cos((h * Math.PI * i) / (2 * POINTS));
    const coefficient = (2 * sum) / POINTS;
    harmonics.push(h);
    cos.push(coefficient);
    worst = 0;
    for (let i = 0; i <= POINTS; i++) {
      rest[i] -= coefficient * Math.cos((h * Math.PI * i) / (2 * POINTS));
      worst = Math.max(worst, Math.abs(rest[i]));
    }
  }
  return {
    name: `${kind}(x) - x/2`,
    periodBits,
    constant,
    harmonics,
    cos,
    sin: cos.map(() => 0),
    from: -bound,
    to: bound,
    maxError: worst,
  };
}
