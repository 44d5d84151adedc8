/**
 * Sums of a row of integers over secret subsets of its columns, all subsets in one walk.
 * Test: tests/protocols/smpc/secret-subsets.test.ts
 */
import type { UniformWords } from "../../../shares/sharing.ts";
import type { Words } from "../../../shares/words.ts";

/** Bits of a mask that choose one of 128 buckets, and groups of bits: a column is added to three buckets in place of 21 sums. */
const GROUP = 7;
const BUCKETS = 2 ** GROUP;
const MOST_VECTORS = 3 * GROUP;

/** Secret vectors v_0 ... v_(vectors - 1) in {0,1}^columns, all uniform and independent, and the vector of ones, which is public. */
export class SecretSubsets {
  readonly columns: number;
  readonly vectors: number;
  /** Columns in each subset, and at the end all columns: [vectors + 1] */
  readonly sizes: Float64Array;
  /** Bit i of masks[j] is v_i[j]. */
  readonly #masks: Int32Array;
  #indicators: Float64Array | null = null;
  readonly #buckets = new Float64Array(3 * BUCKETS);

  private constructor(masks: Int32Array, vectors: number) {
    this.columns = masks.length;
    this.vectors = vectors;
    this.#masks = masks;
    this.sizes = new Float64Array(vectors + 1);
    this.sums(new Float64Array(masks.length).fill(1), this.sizes);
  }

  /** Draws them from a stream that is for them alone. Throws RangeError for more than 21 vectors, or none. */
  static draw(columns: number, vectors: number, stream: UniformWords): SecretSubsets {
    if (!(Number.isInteger(vectors) && vectors >= 1 && vectors <= MOST_VECTORS))
      throw new RangeError(`secret vectors: expected 1 to ${MOST_VECTORS}, got ${vectors}`);
    const words: Words = new BigUint64Array(columns);
    stream.fillWords(words, vectors);
    return new SecretSubsets(Int32Array.from(words, Number), vectors);
  }

  /** Sums of `row` [columns] over each subset, and at the end over all columns, to `out` [vectors + 1]; exact if all sums stay below 2^53. */
  sums(row: Float64Array | Int32Array, out: Float64Array): void {
    const { vectors } = this;
    const buckets = this.#buckets.fill(0);
    if (row instanceof Int32Array) sortIntegers(buckets, row, this.#masks);
    else sortReals(buckets, row, this.#masks);
    for (let first = 0; first < vectors; first += GROUP)
      out[vectors] = foldBuckets(buckets, out, first, Math.min(GROUP, vectors - first));
  }

  /** The vectors as numbers 0 and 1, and at the end the ones: [vectors + 1, columns]; made when they are first asked for, and kept. */
  get indicators(): Float64Array {
    if (this.#indicators !== null) return this.#indicators;
    const { columns, vectors } = this;
    const out = new Float64Array((vectors + 1) * columns).fill(1, vectors * columns);
    for (let v = 0; v < vectors; v++) takeBit(out.subarray(v * columns, (v + 1) * columns), this.#masks, v);
    this.#indicators = out;
    return out;
  }
}

/** out = the bit of each mask. */
function takeBit(out: Float64Array, masks: Int32Array, bit: number): void {
  for (let j = 0; j < masks.length; j++) out[j] = (masks[j] >>> bit) & 1;
}

/** Adds each number to one bucket of each group. One function a kind of array, so that each is compiled for its own. */
function sortReals(buckets: Float64Array, row: Float64Array, masks: Int32Array): void {
  for (let j = 0; j < masks.length; j++) {
    const [mask, value] = [masks[j], row[j]];
    buckets[mask & 127] += value;
    buckets[128 + ((mask >>> 7) & 127)] += value;
    buckets[256 + ((mask >>> 14) & 127)] += value;
  }
}

function sortIntegers(buckets: Float64Array, row: Int32Array, masks: Int32Array): void {
  for (let j = 0; j < masks.length; j++) {
    const [mask, value] = [masks[j], row[j]];
    buckets[mask & 127] += value;
    buckets[128 + ((mask >>> 7) & 127)] += value;
    buckets[256 + ((mask >>> 14) & 127)] += value;
  }
}

/** out[first + bit] = the sum of the group's buckets whose number has that bit; gives the sum of all. The buckets are used up. */
function foldBuckets(buckets: Float64Array, out: Float64Array, first: number, bits: number): number {
  const start = (first / GROUP) * BUCKETS;
  for (let bit = bits - 1; bit >= 0; bit--) {
    const half = 1 << bit;
    let sum = 0;
    for (let at = start; at < start + half; at++) {
      sum += buckets[at + half];
      buckets[at] += buckets[at + half];
    }
    out[first + bit] = sum;
  }
  return buckets[start];
}
