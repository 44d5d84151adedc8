/**
 * Public table entries times dealt words, straight from the packed words, in WebAssembly: the inner loops of the series and exp gates
 * and of their dealer. Test: tests/shares/packed-series.test.ts
 */
import {
  DEALT,
  DEALT_BYTES,
  kernels,
  MATRICES,
  memory,
  SLOTS,
  TABLE_BYTES,
  TILE_WORDS,
  tableAddress,
} from "./kernel-memory.ts";
import { ring } from "./ring.ts";
import type { PackedWords, Words } from "./words.ts";

const [OUT, OPERAND, HARMONICS, COEFFICIENTS] = SLOTS;
/** Most harmonics of a series: cosine and sine coefficients fill one slot. */
const MOST_TERMS = TILE_WORDS / 2;
/** Bytes of dealt words at a time: with the table they stay in the processor's second-level cache. */
const TILE_BYTES = 2 ** 17;

/**
 * out[i] = sum over harmonics j of table[h_j x_i] * w[i][2 j] + table[h_j x_i - quarter] * w[i][2 j + 1] mod 2^64, indices mod the table's
 * length (a power of two; its quarter turns a cosine into a sine). `masked` [count], w [count, 2 * harmonics] of `bits`
 * bits; the table must not be written to afterwards. RangeError for too short a stream, a table of another length, too many harmonics.
 */
export function packedSeriesSums(
  out: Words,
  masked: Words,
  { bytes, bitOffset }: PackedWords,
  bits: number,
  table: Int32Array,
  harmonics: Int32Array,
): void {
  const terms = harmonics.length;
  const bitsEach = 2 * terms * bits;
  checkSeries(out.length, masked.length, table, terms);
  checkStream(bytes, bitOffset + out.length * bitsEach);
  const height = Math.min(TILE_WORDS, Math.max(1, Math.floor((8 * TILE_BYTES) / Math.max(bitsEach, 64 * terms))));
  const [mask, quarter] = [table.length - 1, table.length / 4];
  const copied = worthCopying(table, out.length * terms);
  if (copied) memory.integers.set(harmonics, HARMONICS / 4);
  for (let from = 0; from < out.length; from += height) {
    const to = Math.min(out.length, from + height);
    const skip = loadStream(bytes, bitOffset + from * bitsEach, bitOffset + to * bitsEach);
    if (copied) {
      const tableAt = tableAddress(table);
      loadLow(masked, from, to);
      kernels.seriesSums(OUT, OPERAND, to - from, DEALT, bits, skip, tableAt, mask, quarter, HARMONICS, terms);
    } else {
      lookUp(masked, from, to, table, harmonics);
      kernels.packedDots(OUT, MATRICES, to - from, 2 * terms, DEALT, bits, skip);
    }
    out.set(memory.words.subarray(OUT / 8, OUT / 8 + to - from), from);
  }
}

/** The coefficients of a series whose words are dealt: cos[j] and sin[j] of harmonics[j], in units of a dealt word. */
export interface DealtSeries {
  readonly harmonics: Int32Array;
  readonly cos: Float64Array;
  readonly sin: Float64Array;
}

/**
 * What the dealer deals for such sums: out[i][2 j] = round(cos_j c - sin_j s), out[i][2 j + 1] = round(cos_j s + sin_j c), c = table[h_j r_i],
 * s = table[h_j r_i - quarter]; ties to even, magnitudes below 2^62. `masks` [count], out [count, 2 * harmonics], words mod 2^64.
 */
export function seriesWords(out: Words, masks: Words, table: Float64Array, { harmonics, cos, sin }: DealtSeries): void {
  const terms = harmonics.length;
  checkSeries(out.length, masks.length * 2 * terms, table, terms);
  if (!worthCopying(table, masks.length * terms)) return seriesWordsInPlace(out, masks, table, { harmonics, cos, sin });
  const height = Math.min(TILE_WORDS, Math.max(1, Math.floor(TILE_BYTES / 16 / terms)));
  memory.integers.set(harmonics, HARMONICS / 4);
  const [cosAt, sinAt] = [COEFFICIENTS, COEFFICIENTS + 8 * terms];
  memory.reals.set(cos, cosAt / 8);
  memory.reals.set(sin, sinAt / 8);
  const tableAt = tableAddress(table);
  for (let from = 0; from < masks.length; from += height) {
    const to = Math.min(masks.length, from + height);
    loadLow(masks, from, to);
    const [mask, quarter] = [table.length - 1, table.length / 4];
    kernels.seriesWords(DEALT, OPERAND, to - from, tableAt, mask, quarter, HARMONICS, cosAt, sinAt, terms);
    const first = from * 2 * terms;
    out.set(memory.words.subarray(DEALT / 8, DEALT / 8 + to * 2 * terms - first), first);
  }
}

/** out[i] = word choice[i] of the i-th group of `width` packed words. RangeError for too short a stream or a choice outside its group. */
export function pickPackedWords(
  out: Words,
  choice: Uint32Array,
  width: number,
  { bytes, bitOffset }: PackedWords,
  bits: number,
): void {
  if (choice.length !== out.length)
    throw new RangeError(`picked words: expected ${out.length} choices, got ${choice.length}`);
  for (const chosen of choice)
    if (chosen >= width) throw new RangeError(`picked words: expected a choice below ${width}, got ${chosen}`);
  const bitsEach = width * bits;
  if (bitsEach > 8 * DEALT_BYTES)
    throw new RangeError(`picked words: expected groups of 512 KiB at most, got ${bitsEach} bits`);
  checkStream(bytes, bitOffset + out.length * bitsEach);
  const height = Math.min(TILE_WORDS, Math.max(1, Math.floor((8 * TILE_BYTES) / bitsEach)));
  for (let from = 0; from < out.length; from += height) {
    const to = Math.min(out.length, from + height);
    memory.integers.set(choice.subarray(from, to), OPERAND / 4);
    const skip = loadStream(bytes, bitOffset + from * bitsEach, bitOffset + to * bitsEach);
    kernels.pickWords(OUT, OPERAND, to - from, width, DEALT, bits, skip);
    out.set(memory.words.subarray(OUT / 8, OUT / 8 + to - from), from);
  }
}

/** A table up to here is copied whatever it is for; a larger one as soon as there were look-ups that cost as much, if there is room. */
const SMALL_TABLE = 2 ** 17;
/** Entries that are copied in the time of a look-up in place. */
const ENTRIES_A_LOOK_UP = 32;
/** The table that was asked for last, and the look-ups since it was first: a gate asks for its table tile by tile. */
let asked: Int32Array | Float64Array | null = null;
let askedLookUps = 0;

function worthCopying(table: Int32Array | Float64Array, lookUps: number): boolean {
  askedLookUps = (table === asked ? askedLookUps : 0) + lookUps;
  asked = table;
  return (
    table.byteLength <= TABLE_BYTES && (table.length <= SMALL_TABLE || table.length <= ENTRIES_A_LOOK_UP * askedLookUps)
  );
}

/** The table entries of elements [from, to), [to - from, 2 * harmonics], for packedDots. */
function lookUp(masked: Words, from: number, to: number, table: Int32Array, harmonics: Int32Array): void {
  const halves = new Int32Array(masked.buffer, masked.byteOffset, 2 * masked.length);
  const [mask, quarter] = [table.length - 1, table.length / 4];
  let at = MATRICES / 4;
  for (let i = from; i < to; i++)
    for (const harmonic of harmonics) {
      const angle = Math.imul(harmonic, halves[2 * i]);
      memory.integers[at++] = table[angle & mask];
      memory.integers[at++] = table[(angle - quarter) & mask];
    }
}

/** seriesWords without copying the table. */
function seriesWordsInPlace(out: Words, masks: Words, table: Float64Array, { harmonics, cos, sin }: DealtSeries): void {
  const halves = new Int32Array(masks.buffer, masks.byteOffset, 2 * masks.length);
  const [mask, quarter] = [table.length - 1, table.length / 4];
  const values = new Float64Array(out.length);
  let at = 0;
  for (let i = 0; i < masks.length; i++)
    for (let j = 0; j < harmonics.length; j++) {
      const angle = Math.imul(harmonics[j], halves[2 * i]);
      const [c, s] = [table[angle & mask], table[(angle - quarter) & mask]];
      values[at++] = cos[j] * c - sin[j] * s;
      values[at++] = cos[j] * s + sin[j] * c;
    }
  ring.encode(out, values, 0);
}

function checkSeries(out: number, expected: number, table: Int32Array | Float64Array, terms: number): void {
  if (out !== expected) throw new RangeError(`series: expected ${expected} words, got ${out}`);
  if (table.length < 4 || (table.length & (table.length - 1)) !== 0)
    throw new RangeError(`series: expected a table of a power of two of entries, 4 or more, got ${table.length}`);
  if (!(terms > 0 && terms <= MOST_TERMS))
    throw new RangeError(`series: expected 1 to ${MOST_TERMS} harmonics, got ${terms}`);
}

function checkStream(bytes: Uint8Array, bits: number): void {
  if (bits > bytes.length * 8) throw new RangeError(`packed words: expected ${bits} bits, got ${bytes.length * 8}`);
}

/** The low 32 bits of words [from, to). */
function loadLow(words: Words, from: number, to: number): void {
  const halves = new Int32Array(words.buffer, words.byteOffset, 2 * words.length);
  for (let i = from, at = OPERAND / 4; i < to; i++, at++) memory.integers[at] = halves[2 * i];
}

/** Copies bits [from, to) of a stream; tells how many bits of the first byte come before. */
function loadStream(bytes: Uint8Array, from: number, to: number): number {
  const firstByte = Math.floor(from / 8);
  memory.bytes.set(bytes.subarray(firstByte, Math.ceil(to / 8)), DEALT);
  return from % 8;
}
