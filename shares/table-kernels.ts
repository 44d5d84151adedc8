/**
 * Sums and products of secret words with public table entries: the inner loops of the series and exp gates.
 * Words are 64-bit, by 32-bit halves; a table entry times a half stays below 2^53.
 */
import type { Words } from "./words.ts";

const TWO_32 = 2 ** 32;

const halves = (words: Words): Uint32Array => new Uint32Array(words.buffer, words.byteOffset, words.length * 2);

/**
 * out[i] = sum over harmonics j of table[h_j X_i] * words[i][2 j] + table[h_j X_i - quarter] * words[i][2 j + 1] mod 2^64, indices mod the
 * table's length (a power of two; its quarter turns a cosine into a sine). `masked` [count], `words` [count, 2 * harmonics].
 * Table entries are at most `largestEntry` in magnitude, below 2^20 (RangeError).
 */
export function seriesSums(
  out: Words,
  masked: Words,
  words: Words,
  table: Int32Array,
  harmonics: Int32Array,
  largestEntry: number,
): void {
  // So many harmonics add up exactly in float64 before their carry must be taken out.
  const exact = Math.floor(2 ** 20 / largestEntry);
  if (exact < 1) throw new RangeError(`series: expected table entries of at most 2^20, got ${largestEntry}`);
  const [o, x, w] = [halves(out), halves(masked), halves(words)];
  const mask = table.length - 1;
  const quarter = table.length / 4;
  let at = 0;
  for (let i = 0; i < o.length; i += 2) {
    let [low, high] = [0, 0];
    for (let from = 0; from < harmonics.length; from += exact) {
      const to = Math.min(harmonics.length, from + exact);
      for (let j = from; j < to; j++) {
        const angle = Math.imul(harmonics[j], x[i]);
        const cos = table[angle & mask];
        const sin = table[(angle - quarter) & mask];
        low += cos * w[at] + sin * w[at + 2];
        high += cos * w[at + 1] + sin * w[at + 3];
        at += 4;
      }
      const carry = Math.floor(low / TWO_32);
      low -= carry * TWO_32;
      high += carry;
      high -= Math.floor(high / TWO_32) * TWO_32;
    }
    o[i] = low;
    o[i + 1] = high;
  }
}

/** out[i] = values[i] rounded to the nearest integer, mod 2^64; magnitudes below 2^1023. */
export function roundToWords(out: Words, values: Float64Array): void {
  const o = halves(out);
  for (let i = 0; i < values.length; i++) {
    const rounded = Math.round(values[i]);
    const high = Math.floor(rounded / TWO_32);
    o[2 * i] = rounded - high * TWO_32;
    o[2 * i + 1] = Math.abs(high) < TWO_32 ? high : high % TWO_32;
  }
}
