import type { Activation } from "../../../layers/model-spec.ts";
import { BoundedMemo } from "../../bounded-memo.ts";
import { erf } from "../../../layers/reference/erf.ts";
import { fitMinimax, type MinimaxFit } from "./least-squares.ts";
import type { SeriesFit } from "./series-fit.ts";
import type { Series } from "./series.ts";

/** The kinds of activation that have a series. */
export type SeriesActivation = Exclude<Activation, "relu">;

const FUNCTIONS: Readonly<Record<SeriesActivation, (x: number) => number>> = {
  gelu: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  geluTanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  silu: (x) => x / (1 + Math.exp(-x)),
};

/** Full accuracy up to this magnitude, where nearly all inputs are; beyond, the tolerance grows as x does, up to so many times. */
const MIDDLE = 3;
const MOST_TOLERANCE = 8;
/** Opened bits that the period may take beyond four times the range, and what one is worth, in terms: it is sent, not dealt. */
const MOST_EXTRA_BITS = 2;
const TERMS_A_BIT = 0.6;
/** The corner beyond the range needs at least this much room. */
const LEAST_ROOM = 2;
const MOST_TERMS = 160;
const FEWEST_TERMS = 3;
const STRIDE = 4;

/** A fit takes 20 s there, of some 150 terms at the finest error; above, it fails. */
const MOST_REACH = 256;

const fitted = new BoundedMemo<Series>(256);

/** How large an error of the series may be at x, in units of its error in the middle. */
export const seriesTolerance = (x: number): number => Math.min(MOST_TOLERANCE, Math.max(1, 1 + Math.abs(x) - MIDDLE));

/**
 * g(x) = f(x) - x/2 on [-reach, reach]. g is even: |x| / 2 with a rounded corner at 0. The triangle wave with that corner, and the same
 * corner upside down half a period away, is made of odd cosines alone, and equals g as far as its second corner: a period of 2 (reach +
 * 3 or 4) will do (smpc.md, gate 4, reflects at the range instead and has 4 reach, with as many more terms). The wire's period is a power
 * of two of at least 4 reach, so that x can be extended from it; the wave's is that over an integer, and one or two bits more on the wire
 * come closer to the best one where they save terms.
 *
 * Takes the fewest terms whose error, minimax, is at most `maxError` in the middle and `maxError` times seriesTolerance elsewhere.
 * Series.maxError is the largest error on the whole range. Beyond the range the series is another function, of the same size.
 * Throws RangeError for a reach that isn't positive or above 256, or too few terms allowed.
 */
export function activationSeries(kind: SeriesActivation, reach: number, maxError: number): Series {
  const fit = activationFit(kind, reach, maxError, Infinity);
  if (fit.refusal !== null) throw new RangeError(`${kind}: ${fit.refusal}`);
  return fit.make();
}

/** The same before it is fitted, with a period of at most 2^mostPeriodBits where one is. */
export function activationFit(
  kind: SeriesActivation,
  reach: number,
  maxError: number,
  mostPeriodBits: number,
): SeriesFit {
  if (!(reach > 0 && reach < Infinity)) throw new RangeError(`${kind}: expected a positive range, got ${reach}`);
  const covered = reach < 16 ? Math.ceil(2 * reach) / 2 : Math.ceil(reach);
  const periodBits = Math.ceil(Math.log2(4 * covered));
  const extraBits = Math.max(0, Math.min(MOST_EXTRA_BITS, mostPeriodBits - periodBits));
  const key = `${kind} ${covered} ${maxError} ${extraBits}`;
  return {
    name: `${kind}(x) - x/2`,
    from: -covered,
    to: covered,
    periodBits,
    mostPeriodBits: periodBits + extraBits,
    mostTerms: MOST_TERMS,
    // Its words and table have bits of their own (Precision), whatever it comes to.
    mostSize: covered,
    refusal: covered <= MOST_REACH ? null : `expected values to at most ${MOST_REACH}, got ${reach}`,
    isKept: () => fitted.has(key),
    make: () => fitted.get(key, () => cheapest(kind, covered, maxError, extraBits)),
  };
}

function cheapest(kind: SeriesActivation, reach: number, maxError: number, mostExtraBits: number): Series {
  const leastBits = Math.ceil(Math.log2(4 * reach));
  let best: { series: Series; cost: number } | null = null;
  const tried = new Set<number>();
  for (let extraBits = 0; extraBits <= mostExtraBits; extraBits++) {
    const period = 2 ** (leastBits + extraBits);
    const most = Math.max(1, Math.floor(period / (2 * (reach + LEAST_ROOM))));
    // Longer periods first: they always fit, and limit the terms that shorter ones may take.
    for (const multiple of [most - 2, most - 1, most]) {
      if (multiple < 1 || tried.has(period / multiple)) continue;
      tried.add(period / multiple);
      const limit = best === null ? MOST_TERMS : Math.ceil(best.cost - extraBits * TERMS_A_BIT) - 1;
      const series = fit(kind, reach, { periodBits: leastBits + extraBits, multiple, maxError, limit });
      if (series === null) continue;
      const cost = series.harmonics.length + extraBits * TERMS_A_BIT;
      if (best === null || cost < best.cost) best = { series, cost };
    }
  }
  if (best === null)
    throw new RangeError(
      `${kind} on +-${reach}: expected an error within reach of ${MOST_TERMS} terms, got ${maxError}`,
    );
  return best.series;
}

interface Setting {
  readonly periodBits: number;
  /** Harmonics are odd multiples of this. */
  readonly multiple: number;
  readonly maxError: number;
  /** Most terms. */
  readonly limit: number;
}

/** The fewest terms at one period; null if more than the limit. */
function fit(kind: SeriesActivation, reach: number, { periodBits, multiple, maxError, limit }: Setting): Series | null {
  const f = FUNCTIONS[kind];
  const step = (2 * Math.PI * multiple) / 2 ** periodBits;
  // The error has about one extremum a term, and there are fewer terms than units: 16 points for each.
  const points = 16 * Math.ceil(reach) + 120;
  const xs = Float64Array.from({ length: points }, (_, i) => (i / (points - 1)) * reach);
  const values = xs.map((x) => f(x) - x / 2);
  const tolerances = xs.map(seriesTolerance);
  const columns = limit + 1;
  const basis = new Float64Array(points * columns);
  xs.forEach((x, i) => {
    basis[i * columns] = 1;
    for (let h = 0; h < limit; h++) basis[i * columns + h + 1] = Math.cos((2 * h + 1) * step * x);
  });
  const attempt = (terms: number): MinimaxFit =>
    fitMinimax({ basis, columns, used: terms + 1, values, tolerances }, maxError);
  // More terms are never worse: stride, then look at what was passed over.
  let terms = FEWEST_TERMS;
  while (terms < limit && attempt(terms).worst > maxError) terms = Math.min(limit, terms + STRIDE);
  for (terms = Math.max(FEWEST_TERMS, terms - STRIDE + 1); terms <= limit; terms++) {
    const { coefficients, worst } = attempt(terms);
    if (worst > maxError) continue;
    let largest = 0;
    for (let i = 0; i < points; i++) {
      let error = -values[i];
      for (let a = 0; a <= terms; a++) error += coefficients[a] * basis[i * columns + a];
      largest = Math.max(largest, Math.abs(error));
    }
    return {
      name: `${kind}(x) - x/2`,
      periodBits,
      constant: coefficients[0],
      harmonics: Array.from({ length: terms }, (_, h) => (2 * h + 1) * multiple),
      cos: Array.from(coefficients.subarray(1)),
      sin: Array.from({ length: terms }, () => 0),
      from: -reach,
      to: reach,
      maxError: largest,
    };
  }
  return null;
}
