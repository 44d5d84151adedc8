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
