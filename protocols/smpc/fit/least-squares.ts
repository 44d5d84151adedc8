/**
 * Solves A x = b by Cholesky's factorisation, A positive definite of `size` rows (lower triangle given, overwritten by its factor).
 * Throws RangeError where A is not positive definite: raise the ridge.
 */
export function solvePositive(a: Float64Array, b: Float64Array, size: number): Float64Array {
  for (let i = 0; i < size; i++)
    for (let j = 0; j <= i; j++) {
      let sum = a[i * size + j];
      for (let k = 0; k < j; k++) sum -= a[i * size + k] * a[j * size + k];
      if (i === j && !(sum > 0))
        throw new RangeError("least squares: expected a positive definite system, got another; raise the ridge");
      a[i * size + j] = i === j ? Math.sqrt(sum) : sum / a[j * size + j];
    }
  const x = Float64Array.from(b);
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < i; k++) x[i] -= a[i * size + k] * x[k];
    x[i] /= a[i * size + i];
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++) x[i] -= a[k * size + i] * x[k];
    x[i] /= a[i * size + i];
  }
  return x;
}

export interface MinimaxProblem {
  /** Values of the basis functions at the points, [points, columns]. */
  readonly basis: Float64Array;
  readonly columns: number;
  /** The first so many basis functions are used. */
  readonly used: number;
  /** f and the error that counts as 1, at the points. */
  readonly values: Float64Array;
  readonly tolerances: Float64Array;
}

export interface MinimaxFit {
  readonly coefficients: Float64Array;
  /** Largest error in tolerances at the points. */
  readonly worst: number;
}

/** Steps of reweighting; the largest error is then within a few per cent of the least possible. */
const STEPS = 40;
/** A plain fit that is worse than this many times `goodEnough` won't get there by reweighting. */
const HOPELESS = 4;
const RIDGE = 1e-13;

/**
 * The coefficients whose largest error, in tolerances, is least: Lawson's iteration, least squares whose weights are multiplied by the
 * error at each point. Stops early at `goodEnough` or where that is out of reach.
 */
export function fitMinimax(problem: MinimaxProblem, goodEnough: number): MinimaxFit {
  const { basis, columns, used, values, tolerances } = problem;
  const points = values.length;
  const weights = new Float64Array(points).fill(1 / points);
  let best: MinimaxFit | null = null;
  for (let step = 0; step < STEPS; step++) {
    const gram = new Float64Array(used * used);
    const right = new Float64Array(used);
    for (let i = 0; i < points; i++) {
      const weight = weights[i] / tolerances[i] ** 2;
      for (let a = 0; a < used; a++) {
        const scaled = weight * basis[i * columns + a];
        right[a] += scaled * values[i];
        for (let b = 0; b <= a; b++) gram[a * used + b] += scaled * basis[i * columns + b];
      }
    }
    let trace = 0;
    for (let a = 0; a < used; a++) trace += gram[a * used + a];
    for (let a = 0; a < used; a++) gram[a * used + a] += (RIDGE * trace) / used;
    const coefficients = solvePositive(gram, right, used);
    let [worst, total] = [0, 0];
    for (let i = 0; i < points; i++) {
      let error = -values[i];
      for (let a = 0; a < used; a++) error += coefficients[a] * basis[i * columns + a];
      const size = Math.abs(error) / tolerances[i];
      worst = Math.max(worst, size);
      weights[i] *= size + 1e-30;
      total += weights[i];
    }
    for (let i = 0; i < points; i++) weights[i] /= total;
    if (best === null || worst < best.worst) best = { coefficients, worst };
    if (best.worst <= goodEnough || worst > HOPELESS * goodEnough) break;
  }
  return best!;
}
