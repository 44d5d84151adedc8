import type { Series } from "./series.ts";

/** Table entries stay at or below 2^20, so that the sums of their products with halves of words are exact. */
const MOST_TABLE_BITS = 20;
const LEAST_TABLE_BITS = 8;
const LEAST_WORD_BITS = 4;

/**
 * The fewest fractional bits of a series' public table and dealt words, together, such that their rounding adds at most `error` (root
 * mean square). A rounded number is off by 2^-bits / sqrt(12). Every harmonic has two words, times a cosine and a sine whose squares add
 * up to 1, and two table entries, times words whose squares add up to those of its coefficients: error^2 = (T 4^-word + size^2 4^-table)
 * / 12 for T harmonics. Each bit of the two is one more bit of every dealt word. Of equal sums the coarser table.
 */
export function seriesPrecision(
  series: Series,
  error: number,
): { readonly tableFracBits: number; readonly wordFracBits: number } {
  const budget = 12 * error ** 2;
  const size = Math.hypot(...series.cos, ...series.sin);
  let best: { tableFracBits: number; wordFracBits: number } | null = null;
  for (let tableFracBits = LEAST_TABLE_BITS; tableFracBits <= MOST_TABLE_BITS; tableFracBits++) {
    const left = budget - size ** 2 * 4 ** -tableFracBits;
    // The finest table may miss the error by itself: then words add no more than it does.
    if (left <= 0 && tableFracBits < MOST_TABLE_BITS) continue;
    const forWords = left > 0 ? left : size ** 2 * 4 ** -tableFracBits;
    const wordFracBits = Math.max(LEAST_WORD_BITS, Math.ceil(Math.log2(series.harmonics.length / forWords) / 2));
    if (best === null || tableFracBits + wordFracBits < best.tableFracBits + best.wordFracBits)
      best = { tableFracBits, wordFracBits };
  }
  return best!;
}

/** Grades are so many bits apart: each has a table of its own. */
const GRADE_BITS = 2;

/**
 * The same with a table of its own for harmonics that are small: a rounded entry comes times the harmonic's amplitude a_h, so error^2 =
 * (T 4^-word + sum of a_h^2 4^-table_h) / 12, and a harmonic of a quarter of the largest amplitude does with a table two bits coarser, whose
 * dealt words are two bits shorter (gates/series.ts).
 */
export function gradedPrecision(
  { cos, sin }: Series,
  error: number,
): { readonly tableFracBits: number; readonly wordFracBits: number; readonly coarserBits: readonly number[] } {
  const budget = 12 * error ** 2;
  const amplitudes = cos.map((a, at) => Math.hypot(a, sin[at]));
  const largest = Math.max(...amplitudes);
  let best: { tableFracBits: number; wordFracBits: number; coarserBits: number[]; bits: number } | null = null;
  for (let tableFracBits = LEAST_TABLE_BITS; tableFracBits <= MOST_TABLE_BITS; tableFracBits++) {
    const coarserBits = amplitudes.map((a) => {
      const grades = a > 0 ? Math.floor(Math.log2(largest / a) / GRADE_BITS) : Infinity;
      return GRADE_BITS * Math.min(grades, Math.floor((tableFracBits - 1) / GRADE_BITS));
    });
    const ofTable = amplitudes.reduce((sum, a, at) => sum + a ** 2 * 4 ** (coarserBits[at] - tableFracBits), 0);
    const left = budget - ofTable;
    // As above: the finest table may miss the error by itself.
    if (left <= 0 && tableFracBits < MOST_TABLE_BITS) continue;
    const forWords = left > 0 ? left : ofTable;
    const wordFracBits = Math.max(LEAST_WORD_BITS, Math.ceil(Math.log2(amplitudes.length / forWords) / 2));
    const bits = coarserBits.reduce((sum, coarser) => sum + tableFracBits + wordFracBits - coarser, 0);
    if (best === null || bits < best.bits) best = { tableFracBits, wordFracBits, coarserBits, bits };
  }
  return best!;
}
