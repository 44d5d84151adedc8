/** Recovery against budget: what searches had found when so many passes were spent, and where the curve goes beyond the largest budget. */
import { bootstrapInterval, seededChance, type Interval } from "../../lab/statistics/bootstrap.ts";
import type { GapAnswer } from "../gap-match/gap-search.ts";

/** One search with the truth beside it. */
export interface ScoredSearch {
  readonly truth: readonly number[];
  readonly answer: GapAnswer;
  /** Budget of the search, in passes. */
  readonly budget: number;
}

export interface CurvePoint {
  readonly passes: number;
  /** All missing tokens and the visible one right. */
  readonly exact: Interval;
  /** Share of the missing tokens right; NaN where none is missing. */
  readonly missing: Interval | null;
  /** Visible token right. */
  readonly own: Interval;
}

/** What the searches' best guesses were at each budget up to the one they had. */
export function recoveryCurve(
  searches: readonly ScoredSearch[],
  budgets: readonly number[],
  seed: number,
): CurvePoint[] {
  return budgets
    .filter((passes) => searches.every(({ budget }) => passes <= budget))
    .map((passes) => {
      const right = searches.map(({ truth, answer }) => {
        const found = answer.trail.findLast((each) => each.passes <= passes)?.tokens ?? [];
        return truth.map((token, at) => (found[at] === token ? 1 : 0) as number);
      });
      const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
      const over = (of: (hits: readonly number[]) => number): Interval => bootstrapInterval(right.map(of), seed);
      return {
        passes,
        exact: over((hits) => Math.min(...hits)),
        missing: right[0].length === 1 ? null : over((hits) => mean(hits.slice(0, -1))),
        own: over((hits) => hits.at(-1)!),
      };
    });
}

/** Passes at which so many of the gaps are expected to be solved, log10, with a 95 % interval. */
export interface Extrapolation {
  readonly share: number;
  readonly log10Passes: number;
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 400;
/** Standard normal quantiles of the shares. */
const SHARES = [
  { share: 0.5, z: 0 },
  { share: 0.9, z: 1.2816 },
] as const;

/**
 * A log-normal law of the passes until a gap is solved, with unsolved searches censored at their budget (EM for the censored normal),
 * bootstrapped over searches. null where fewer than three were solved: a law can't be told from that.
 */
export function extrapolate(searches: readonly ScoredSearch[], seed: number): Extrapolation[] | null {
  const times = searches.map(({ truth, answer, budget }) => {
    const solved = answer.best.tokens.every((token, at) => token === truth[at]);
    return { solved, log: Math.log10(solved ? Math.max(1, answer.trail.at(-1)!.passes) : budget) };
  });
  if (times.filter(({ solved }) => solved).length < 3) return null;
  const chance = seededChance(seed);
  const fits = Array.from({ length: RESAMPLES }, () =>
    censoredNormal(times.map(() => times[Math.floor(chance() * times.length)])),
  );
  const whole = censoredNormal(times);
  return SHARES.map(({ share, z }) => {
    const at = fits.map(({ mean, spread }) => mean + z * spread).sort((a, b) => a - b);
    return {
      share,
      log10Passes: whole.mean + z * whole.spread,
      low: at[Math.floor(0.025 * RESAMPLES)],
      high: at[Math.floor(0.975 * RESAMPLES)],
    };
  });
}

const ITERATIONS = 200;
/** Least spread of the law, in decades: equal times must not divide by nothing. */
const LEAST_SPREAD = 0.05;

function censoredNormal(times: readonly { readonly solved: boolean; readonly log: number }[]): {
  mean: number;
  spread: number;
} {
  let mean = times.reduce((sum, { log }) => sum + log, 0) / times.length;
  let spread = 1;
  for (let round = 0; round < ITERATIONS; round++) {
    let [sum, squares] = [0, 0];
    for (const { solved, log } of times) {
      // Of a time known only to be later: its expectation and that of its square under the law so far.
      const z = (log - mean) / spread;
      const hazard = solved ? 0 : hazardOf(z);
      sum += solved ? log : mean + spread * hazard;
      squares += solved ? log ** 2 : mean ** 2 + spread ** 2 + spread * hazard * (log + mean);
    }
    mean = sum / times.length;
    spread = Math.max(LEAST_SPREAD, Math.sqrt(Math.max(0, squares / times.length - mean ** 2)));
  }
  return { mean, spread };
}

/** φ(z) / (1 - Φ(z)), Abramowitz and Stegun 26.2.17 for Φ; its asymptote far out. */
function hazardOf(z: number): number {
  if (z > 6) return z + 1 / z;
  const density = Math.exp(-(z ** 2) / 2) / Math.sqrt(2 * Math.PI);
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const coefficients = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
  const tail = density * coefficients.reduce((total, coefficient, at) => total + coefficient * t ** (at + 1), 0);
  return density / (z >= 0 ? tail : 1 - tail);
}
