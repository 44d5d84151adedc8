import { solvePositive } from "./least-squares.ts";

/** f on [from, to] as a trigonometric sum of a longer period, by regularised least squares. */
export interface TrigonometricFit {
  readonly constant: number;
  /** cos[h - 1], sin[h - 1] of harmonic h = 1, 2, ... */
  readonly cos: readonly number[];
  readonly sin: readonly number[];
  /** Largest weighted error on the interval. */
  readonly maxError: number;
  /** Root of the sum of squares of all coefficients. */
  readonly size: number;
}

export interface FitProblem {
  readonly f: (x: number) => number;
  readonly from: number;
  readonly to: number;
  readonly period: number;
  readonly terms: number;
  /** Sines alone, no constant: for an odd f on a symmetric interval. */
  readonly odd: boolean;
  /** What an error at x is multiplied by. */
  readonly weight: (x: number) => number;
}

/** Points a term, so that the shortest wave has two dozen; and fewest of all, for the steep end. */
const POINTS_A_TERM = 24;
const FEWEST_POINTS = 300;

/**
 * The fit of a problem by its ridge, which is added to the diagonal relative to its mean. Normal equations from moment sums (the products
 * of cosines are cosines of sums and differences), which all ridges share, and Cholesky. Deterministic on one machine; other machines may
 * round cosines differently. The fit throws RangeError where the system isn't positive definite at that ridge.
 */
export function trigonometricFits(problem: FitProblem): (ridge: number) => TrigonometricFit {
  const { f, from, to, period, terms, odd, weight } = problem;
  const xs = points(from, to, FEWEST_POINTS + POINTS_A_TERM * terms);
  const size = odd ? terms : 2 * terms + 1;
  const evenMoments = new Float64Array(2 * terms + 1); // sum of w^2 cos(m x)
  const oddMoments = new Float64Array(2 * terms + 1); // sum of w^2 sin(m x)
  const right = new Float64Array(size);
  const cosinesRight = right.subarray(0, odd ? 0 : terms + 1); // the constant first
  const sinesRight = right.subarray(size - terms);
  const cosTurns = new Float64Array(2 * terms + 1);
  const sinTurns = new Float64Array(2 * terms + 1);
  for (const x of xs) {
    const w2 = weight(x) ** 2;
    const wf = w2 * f(x);
    const step = (2 * Math.PI * x) / period;
    turns(step, cosTurns, sinTurns);
    addScaled(evenMoments, w2, cosTurns);
    addScaled(oddMoments, w2, sinTurns);
    if (!odd) addScaled(cosinesRight, wf, cosTurns);
    addScaled(sinesRight, wf, sinTurns.subarray(1));
  }
  const moment = (table: Float64Array, m: number, sign: number): number => (m < 0 ? sign * table[-m] : table[m]);
  const entry = (a: number, b: number): number => {
    const [sineA, sineB] = [odd || a > terms, odd || b > terms];
    const k = odd ? a + 1 : sineA ? a - terms : a;
    const j = odd ? b + 1 : sineB ? b - terms : b;
    if (sineA && sineB) return (moment(evenMoments, k - j, 1) - moment(evenMoments, k + j, 1)) / 2;
    if (!sineA && !sineB) return (moment(evenMoments, k - j, 1) + moment(evenMoments, k + j, 1)) / 2;
    const [cosine, sine] = sineA ? [j, k] : [k, j];
    return (moment(oddMoments, sine + cosine, -1) + moment(oddMoments, sine - cosine, -1)) / 2;
  };
  const gram = new Float64Array(size * size);
  let trace = 0;
  for (let a = 0; a < size; a++) {
    for (let b = 0; b <= a; b++) gram[a * size + b] = entry(a, b);
    trace += gram[a * size + a];
  }
  return (ridge) => {
    const system = gram.slice();
    for (let a = 0; a < size; a++) system[a * size + a] += (ridge * trace) / size;
    const solution = solvePositive(system, right, size);
    const cos = Array.from({ length: terms }, (_, h) => (odd ? 0 : solution[h + 1]));
    const sin = Array.from({ length: terms }, (_, h) => (odd ? solution[h] : solution[terms + 1 + h]));
    const constant = odd ? 0 : solution[0];
    const maxError = largestError(problem, xs, { constant, cos, sin });
    return { constant, cos, sin, maxError, size: Math.hypot(...cos, ...sin) };
  };
}

/** The largest weighted error at the points. */
function largestError(
  { f, period, terms, weight }: FitProblem,
  xs: Float64Array,
  { constant, cos, sin }: Pick<TrigonometricFit, "constant" | "cos" | "sin">,
): number {
  const [cosTurns, sinTurns] = [new Float64Array(terms + 1), new Float64Array(terms + 1)];
  let largest = 0;
  for (const x of xs) {
    let value = constant;
    turns((2 * Math.PI * x) / period, cosTurns, sinTurns);
    for (let h = 0; h < terms; h++) value += cos[h] * cosTurns[h + 1] + sin[h] * sinTurns[h + 1];
    largest = Math.max(largest, Math.abs(value - f(x)) * weight(x));
  }
  return largest;
}

/** sums += factor * values. A function of its own, as `turns` is, so that it is soon compiled: most of a fit's time is before that. */
function addScaled(sums: Float64Array, factor: number, values: Float64Array): void {
  for (let m = 0; m < sums.length; m++) sums[m] += factor * values[m];
}

/** cos(m step), sin(m step) for m = 0, 1, ..., by rotating; restarted every 32 steps, so that rounding stays below 1e-14. */
function turns(step: number, cos: Float64Array, sin: Float64Array): void {
  const [c, s] = [Math.cos(step), Math.sin(step)];
  for (let m = 0; m < cos.length; m++) {
    if (m % 32 === 0) {
      cos[m] = Math.cos(m * step);
      sin[m] = Math.sin(m * step);
    } else {
      cos[m] = cos[m - 1] * c - sin[m - 1] * s;
      sin[m] = sin[m - 1] * c + cos[m - 1] * s;
    }
  }
}

/** Half of the points lie evenly, half (where `from` is positive) evenly in log x, because f may be steep there. */
function points(from: number, to: number, count: number): Float64Array {
  const logarithmic = from > 0;
  const even = logarithmic ? Math.floor(count / 2) : count;
  return Float64Array.from({ length: count }, (_, i) =>
    i < even ? from + ((to - from) * i) / (even - 1) : from * (to / from) ** ((i - even) / (count - even - 1)),
  );
}
