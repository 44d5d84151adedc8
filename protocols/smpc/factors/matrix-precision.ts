/** Largest magnitude of a public matrix's integers: PublicMatrix multiplies 22-bit limbs by them in float64, exactly. */
export const MAX_MATRIX_INTEGER = 2 ** 20;

/**
 * Fractional bits at which a matrix is rounded to integers: its root mean square gets `significantBits` bits, in
 * [2^(significantBits - 1), 2^significantBits), or as many as keep the largest entry below half of MAX_MATRIX_INTEGER (centring may
 * double it). Negative for matrices of large numbers, 0 for a matrix of zeros. Only powers of two are multiplied, so that every
 * machine chooses the same. RangeError unless 0 <= rms <= maxAbs < infinity.
 */
export function matrixFracBits(rms: number, maxAbs: number, significantBits: number): number {
  // The root mean square of equal entries may come out a rounding above them.
  if (!(rms >= 0 && rms <= maxAbs * 1.001 && maxAbs < Infinity))
    throw new RangeError(`matrix: expected 0 <= rms <= maxAbs < infinity, got rms ${rms}, maxAbs ${maxAbs}`);
  if (rms === 0) return 0;
  let fracBits = 0;
  while (rms * 2 ** fracBits < 2 ** (significantBits - 1)) fracBits++;
  while (rms * 2 ** fracBits >= 2 ** significantBits) fracBits--;
  while (maxAbs * 2 ** fracBits >= MAX_MATRIX_INTEGER / 2) fracBits--;
  return fracBits;
}
