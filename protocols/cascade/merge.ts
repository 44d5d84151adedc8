/**
 * The stable merge of partial softmax results.
 *
 * Functionality: a partial result of one query row and head over a set of keys is (m, e, u): m = max a, e = Σ exp(a - m),
 *   u = Σ exp(a - m) v. Partial results over disjoint sets form a commutative monoid:
 *     (m, e, u) ⊕ (m', e', u') = (n, e·exp(m - n) + e'·exp(m' - n), u·exp(m - n) + u'·exp(m' - n)),  n = max(m, m'),
 *   with identity (-∞, 0, 0): a row with nothing visible. The attention output is u / e of the sum.
 * Parties: CompNode i alone (inputs: partial results of its rows). Leaks: nothing beyond its inputs (local).
 * Assumes: the key sets of the partial results are disjoint.
 * Cost: rows · heads · (headDim + 2) multiply-adds a partial result, no message; counted in `postPassCost`.
 * Error bound: exact order and grouping do not matter; in floating point they matter at rounding level.
 * Reference: arXiv 2507.05228, attention-pass. Proof: the laws, by property. Test: tests/protocols/cascade/merge.test.ts
 */
import { allocate, concatenate, type FloatArray, type Tensor, type Word } from "../../layers/tensor.ts";

/** The running sum of partial results of `rows` query rows; starts as the identity. */
export class Merge {
  readonly #rows: number;
  readonly #heads: number;
  readonly #headDim: number;
  /** [rows, heads·headDim] */
  readonly #u: FloatArray;
  /** [rows, heads] */
  readonly #m: FloatArray;
  /** [rows, heads] */
  readonly #e: FloatArray;

  constructor(rows: number, heads: number, headDim: number, word: Word) {
    this.#rows = rows;
    this.#heads = heads;
    this.#headDim = headDim;
    this.#u = allocate(word, rows * heads * headDim);
    this.#m = allocate(word, rows * heads).fill(-Infinity);
    this.#e = allocate(word, rows * heads);
  }

  /**
   * Adds packed partial results (`packPartial`) of indices.length rows to the rows `indices`.
   * Throws RangeError if the data do not have that size.
   */
  add(packed: FloatArray, indices: readonly number[]): void {
    const rows = indices.length;
    const width = this.#heads * this.#headDim;
    if (packed.length !== rows * (width + 2 * this.#heads))
      throw new RangeError(`merge: expected ${rows} x ${width + 2 * this.#heads} words, got ${packed.length}`);
    const mAt = rows * width;
    const eAt = mAt + rows * this.#heads;
    for (let at = 0; at < rows; at++) {
      for (let h = 0; h < this.#heads; h++) {
        const source = at * this.#heads + h;
        const mNew = packed[mAt + source];
        if (mNew === -Infinity) continue; // the identity: nothing visible
        const slot = indices[at] * this.#heads + h;
        this.#combine(slot, packed, source * this.#headDim, mNew, packed[eAt + source]);
      }
    }
  }

  /** The attention output u / e, [rows, heads·headDim]; a row that saw no key at all is zero, never NaN. */
  finish(): Tensor {
    const out = this.#u;
    for (let slot = 0; slot < this.#e.length; slot++) {
      const inverse = this.#e[slot] === 0 ? 0 : 1 / this.#e[slot];
      const end = (slot + 1) * this.#headDim;
      for (let i = slot * this.#headDim; i < end; i++) out[i] *= inverse;
    }
    return { data: out, shape: [this.#rows, this.#heads * this.#headDim] };
  }

  #combine(slot: number, packed: FloatArray, source: number, mNew: number, eNew: number): void {
    const target = slot * this.#headDim;
    const mOld = this.#m[slot];
    if (mOld === -Infinity) {
      // The first one is the sum: most rows of a small deployment get no other.
      this.#m[slot] = mNew;
      this.#e[slot] = eNew;
      for (let i = 0; i < this.#headDim; i++) this.#u[target + i] = packed[source + i];
      return;
    }
    const n = Math.max(mOld, mNew);
    const keep = Math.exp(mOld - n);
    const gain = Math.exp(mNew - n);
    this.#m[slot] = n;
    this.#e[slot] = this.#e[slot] * keep + eNew * gain;
    for (let i = 0; i < this.#headDim; i++)
      this.#u[target + i] = this.#u[target + i] * keep + packed[source + i] * gain;
  }
}

/**
 * The form in which partial results of some rows travel: u of all rows [rows, heads·headDim], then m [rows, heads], then e
 * [rows, heads].
 */
export function packPartial(u: Tensor, m: Tensor, e: Tensor): FloatArray {
  return concatenate([u.data, m.data, e.data]);
}
