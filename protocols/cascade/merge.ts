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
import type { FloatArray, Tensor } from "../../layers/tensor.ts";

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

  constructor(rows: number, heads: number, headDim: number, word: "float32" | "float64") {
    const Words = word === "float32" ? Float32Array : Float64Array;
    this.#rows = rows;
    this.#heads = heads;
    this.#headDim = headDim;
    this.#u = new Words(rows * heads * headDim);
    this.#m = new Words(rows * heads).fill(-Infinity);
    this.#e = new Words(rows * heads);
  }

  /**
   * Adds packed partial results [indices.length, heads·headDim + 2·heads] (u, then m, then e of each row) to the rows `indices`.
   * Throws RangeError if the data do not have that size.
   */
  add(packed: FloatArray, indices: readonly number[]): void {
    const width = this.#heads * this.#headDim;
    const columns = width + 2 * this.#heads;
    if (packed.length !== indices.length * columns)
      throw new RangeError(`merge: expected ${indices.length} x ${columns} words, got ${packed.length}`);
    for (let at = 0; at < indices.length; at++) {
      const source = at * columns;
      for (let h = 0; h < this.#heads; h++) {
        const mNew = packed[source + width + h];
        if (mNew === -Infinity) continue; // the identity: nothing visible
        const slot = indices[at] * this.#heads + h;
        this.#combine(slot, packed, source + h * this.#headDim, mNew, packed[source + width + this.#heads + h]);
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
    const n = Math.max(mOld, mNew);
    const keep = mOld === -Infinity ? 0 : Math.exp(mOld - n);
    const gain = Math.exp(mNew - n);
    this.#m[slot] = n;
    this.#e[slot] = this.#e[slot] * keep + eNew * gain;
    for (let i = 0; i < this.#headDim; i++)
      this.#u[target + i] = this.#u[target + i] * keep + packed[source + i] * gain;
  }
}

/** u, m and e of `rows` rows side by side, [rows, heads·headDim + 2·heads]: the form in which partial results travel. */
export function packPartial(u: Tensor, m: Tensor, e: Tensor): Tensor {
  const [rows, width] = u.shape;
  const heads = m.shape[1];
  const columns = width + 2 * heads;
  const data = u.data instanceof Float32Array ? new Float32Array(rows * columns) : new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    data.set(u.data.subarray(row * width, (row + 1) * width), row * columns);
    data.set(m.data.subarray(row * heads, (row + 1) * heads), row * columns + width);
    data.set(e.data.subarray(row * heads, (row + 1) * heads), row * columns + width + heads);
  }
  return { data, shape: [rows, columns] };
}
