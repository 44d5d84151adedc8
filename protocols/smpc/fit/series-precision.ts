import type { Series } from "../instruction.ts";

/** Table entries stay at or below 2^20, so that the sums of their products with halves of words are exact. */
const MOST_TABLE_BITS = 20;

/**
 * Fractional bits of the public table and of the dealt words such that their rounding adds at most `error` (root mean square) to a
 * series. A rounded number is off by 2^-bits / sqrt(12). Every harmonic adds one word error times a cosine of mean square 1/2, twice;
 * a table error is multiplied by the harmonic's coefficients.
 */
export function seriesPrecision(series: Series, error: number): { tableFracBits: number; wordFracBits: number } {
  const each = (error / Math.SQRT2) * Math.sqrt(12); // both kinds together reach `error`
  const size = Math.hypot(...series.cos, ...series.sin);
  const wordFracBits = Math.ceil(Math.log2(Math.sqrt(series.harmonics.length) / each));
  const tableFracBits = Math.ceil(Math.log2(Math.max(size, 1e-9) / each));
  return {
    tableFracBits: Math.min(MOST_TABLE_BITS, Math.max(8, tableFracBits)),
    wordFracBits: Math.max(4, wordFracBits),
  };
}
