/** Pivots below this share of their diagonal element are rounding, not rank. */
const LEAST_PIVOT = 1e-13;

/**
 * T [n, n] with T Tᵀ = A⁻¹ for a symmetric positive definite A [n, n]: rows x T of rows x with covariance A have covariance I. By
 * Cholesky's A = L Lᵀ, T = L⁻ᵀ, in plain float64 (n is a model's width, at most some hundreds: a fraction of a second).
 * Throws RangeError where A isn't positive definite in float64.
 */
export function whitening(a: Float64Array, n: number): Float64Array {
  const l = new Float64Array(n * n); // lower triangle
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j];
      for (let k = 0; k < j; k++) sum -= l[i * n + k] * l[j * n + k];
      if (i > j) l[i * n + j] = sum / l[j * n + j];
      else if (sum > LEAST_PIVOT * a[i * n + i]) l[i * n + i] = Math.sqrt(sum);
      else throw new RangeError(`whitening: expected a positive definite matrix, got pivot ${sum} in row ${i}`);
    }
  }
  // Rows of X = L⁻¹ by forward substitution, kept as rows of t; then turned.
  const inverse = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const row = inverse.subarray(i * n, i * n + i + 1);
    row[i] = 1;
    for (let k = 0; k < i; k++) {
      const factor = l[i * n + k];
      if (factor === 0) continue;
      for (let j = 0; j <= k; j++) row[j] -= factor * inverse[k * n + j];
    }
    const pivot = l[i * n + i];
    for (let j = 0; j <= i; j++) row[j] /= pivot;
  }
  const turned = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) turned[j * n + i] = inverse[i * n + j];
  return turned;
}
