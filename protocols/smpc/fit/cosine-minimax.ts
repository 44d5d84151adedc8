import { fourierTransform } from "./fourier-transform.ts";
import { solvePositive } from "./least-squares.ts";

/** c[0] + sum over h of c[h + 1] cos((2 h + 1) 2 pi x) is to be near f. */
export interface CosineProblem {
  /** Points x = i / size, i = 0, 1, ..., as many as there are values; size a power of two, at least four points a wave. */
  readonly size: number;
  /** f and the error that counts as 1, at the points. */
  readonly values: Float64Array;
  readonly tolerances: Float64Array;
}

export interface MinimaxFit {
  /** [terms + 1] */
  readonly coefficients: Float64Array;
  /** Largest error in tolerances at the points. */
  readonly worst: number;
  /** Errors at the points, not in tolerances. */
  readonly errors: Float64Array;
}

/** Steps of reweighting; the largest error is then within a few per cent of the least possible. */
const STEPS = 40;
const RIDGE = 1e-13;
/** The ridge and rounding take less than this of a bound. */
const BOUND_SLACK = 1e-3;

/**
 * The coefficients of so many cosines whose largest error, in tolerances, is least: Lawson's iteration, least squares whose weights are
 * multiplied by the error at each point (Rice and Usow, 10.1090/S0025-5718-1968-0227661-1). The weighted mean square of a least-squares
 * fit is below the square of the least largest error, so it stops where that can't be `goodEnough` any more, as it does at `goodEnough`.
 * Moments and errors are Fourier transforms: products of cosines are cosines of sums and differences.
 */
export function cosineMinimax(problem: CosineProblem, terms: number, goodEnough: number): MinimaxFit {
  const { values, tolerances } = problem;
  const points = values.length;
  const weights = new Float64Array(points).fill(1 / points);
  let best: MinimaxFit | null = null;
  for (let step = 0; step < STEPS; step++) {
    const coefficients = weightedFit(problem, terms, weights);
    const errors = errorsOf(problem, coefficients);
    let [worst, total, meanSquare] = [0, 0, 0];
    for (let i = 0; i < points; i++) {
      const size = Math.abs(errors[i]) / tolerances[i];
      worst = Math.max(worst, size);
      meanSquare += weights[i] * size * size;
      weights[i] *= size + 1e-30;
      total += weights[i];
    }
    for (let i = 0; i < points; i++) weights[i] /= total;
    if (best === null || worst < best.worst) best = { coefficients, worst, errors };
    if (best.worst <= goodEnough || Math.sqrt(meanSquare) > goodEnough * (1 + BOUND_SLACK)) break;
  }
  return best!;
}

/** Least squares with these weights [points] of squared errors in tolerances: coefficients [terms + 1]. */
function weightedFit({ size, values, tolerances }: CosineProblem, terms: number, weights: Float64Array): Float64Array {
  const [re, im] = [new Float64Array(size), new Float64Array(size)];
  for (let i = 0; i < values.length; i++) {
    re[i] = weights[i] / (tolerances[i] * tolerances[i]);
    im[i] = re[i] * values[i];
  }
  fourierTransform(re, im);
  // Of re + i im the transform is A + i B; the real parts of A[k] and B[k] are sums with cosines.
  const used = terms + 1;
  const plain = (k: number): number => (re[k] + re[(size - k) & (size - 1)]) / 2;
  const gram = new Float64Array(used * used);
  const right = new Float64Array(used);
  gram[0] = plain(0);
  right[0] = im[0];
  for (let a = 1; a < used; a++) {
    const k = 2 * a - 1;
    gram[a * used] = plain(k);
    right[a] = (im[k] + im[size - k]) / 2;
  }
  const even = Float64Array.from({ length: 2 * terms }, (_, m) => plain(2 * m) / 2);
  for (let a = 1; a < used; a++) for (let b = 1; b <= a; b++) gram[a * used + b] = even[a - b] + even[a + b - 1];
  let trace = 0;
  for (let a = 0; a < used; a++) trace += gram[a * used + a];
  for (let a = 0; a < used; a++) gram[a * used + a] += (RIDGE * trace) / used;
  return solvePositive(gram, right, used);
}

/** Fit less f at the points. */
function errorsOf({ size, values }: CosineProblem, coefficients: Float64Array): Float64Array {
  const [re, im] = [new Float64Array(size), new Float64Array(size)];
  re[0] = coefficients[0];
  for (let a = 1; a < coefficients.length; a++) re[2 * a - 1] = coefficients[a];
  fourierTransform(re, im);
  return values.map((value, i) => re[i] - value);
}
