import type { Activation } from "../../../layers/model-spec.ts";
import { erf } from "../../../layers/reference/erf.ts";
import { cosineMinimax, type MinimaxFit } from "./cosine-minimax.ts";
import { FitStore, type FitRequest } from "./fit-store.ts";
import type { SeriesFit } from "./series-fit.ts";
import { seriesSchema, type Series } from "./series.ts";

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
/** The error has about one extremum a term, and there are fewer terms than units. */
const POINTS_A_UNIT = 16;
const FEWEST_POINTS = 128;
const POINTS_A_TERM = 8;

/** Some 150 terms at the finest error; above, a fit fails. */
const MOST_REACH = 256;

const fitted = new FitStore<Series>("activation", seriesSchema, 256);
/** A series that was read is looked at at so many points, where it may be off by this times its error. */
const LOOKED_AT = 32;
const LOOKED_AT_ROOM = 1.05;

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
  const request: FitRequest<Series> = {
    key: JSON.stringify([kind, covered, maxError, extraBits]),
    make: () => cheapest(kind, covered, maxError, extraBits),
    agrees: (series) =>
      series.periodBits >= periodBits && series.periodBits <= periodBits + extraBits && agrees(kind, covered, series),
  };
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
    isKept: () => fitted.has(request),
    make: () => fitted.get(request),
  };
}

/** Is a series as near to the function as it says? */
function agrees(kind: SeriesActivation, reach: number, series: Series): boolean {
  const { periodBits, constant, harmonics, cos, sin, maxError, from, to } = series;
  if (cos.length !== harmonics.length || cos.length > MOST_TERMS || from !== -reach || to !== reach) return false;
  if (sin.length !== cos.length || sin.some((value) => value !== 0)) return false;
  const step = (2 * Math.PI) / 2 ** periodBits;
  for (let i = 0; i < LOOKED_AT; i++) {
    const x = (reach * i) / (LOOKED_AT - 1);
    const value = cos.reduce((sum, a, at) => sum + a * Math.cos(harmonics[at] * step * x), constant);
    if (!(Math.abs(value - FUNCTIONS[kind](x) + x / 2) <= LOOKED_AT_ROOM * maxError)) return false;
  }
  return true;
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
  if (limit < FEWEST_TERMS) return null;
  const wave = 2 ** periodBits / multiple;
  const points = Math.max(POINTS_A_UNIT * wave, (FEWEST_POINTS * wave) / reach, POINTS_A_TERM * limit); // of a wave
  const size = 2 ** Math.ceil(Math.log2(points));
  const f = FUNCTIONS[kind];
  // The last point lies at the range's end or beyond.
  const xs = Float64Array.from({ length: Math.ceil((reach / wave) * size) + 1 }, (_, i) => (i / size) * wave);
  const problem = { size, values: xs.map((x) => f(x) - x / 2), tolerances: xs.map(seriesTolerance) };
  const attempt = (terms: number): MinimaxFit => cosineMinimax(problem, terms, maxError);
  // More terms are never worse.
  let best = attempt(limit);
  if (best.worst > maxError) return null;
  let [tooFew, enough] = [FEWEST_TERMS - 1, limit];
  while (enough - tooFew > 1) {
    const terms = Math.floor((tooFew + enough) / 2);
    const found = attempt(terms);
    if (found.worst > maxError) tooFew = terms;
    else [enough, best] = [terms, found];
  }
  return {
    name: `${kind}(x) - x/2`,
    periodBits,
    constant: best.coefficients[0],
    harmonics: Array.from({ length: enough }, (_, h) => (2 * h + 1) * multiple),
    cos: [...best.coefficients.subarray(1)],
    sin: Array.from({ length: enough }, () => 0),
    from: -reach,
    to: reach,
    maxError: best.errors.reduce((largest, error) => Math.max(largest, Math.abs(error)), 0),
  };
}
