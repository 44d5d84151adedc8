import { allocate, type FloatArray, type Tensor, type Word } from "../../layers/tensor.ts";

/** Keys and values of one layer at one AttnNode, in the order of arrival; grows by doubling beyond the first rows. */
export class KvCache {
  readonly #columns: number;
  readonly #word: Word;
  readonly #positions: number[] = [];
  /** [capacity, columns] each; the first positions.length rows are in use */
  #k: FloatArray;
  #v: FloatArray;

  /** `columns` is kvHeads · headDim. */
  constructor(columns: number, word: Word) {
    this.#columns = columns;
    this.#word = word;
    this.#k = this.#v = allocate(word, 0);
  }

  /** Appends rows stacked as [2 · positions.length, columns]: all keys, then all values. The first ones are kept without a copy. */
  append(stacked: FloatArray, positions: readonly number[]): void {
    const used = this.#positions.length * this.#columns;
    const added = positions.length * this.#columns;
    if (used === 0) {
      this.#k = stacked.subarray(0, added);
      this.#v = stacked.subarray(added);
      this.#positions.push(...positions);
      return;
    }
    if (used + added > this.#k.length) this.#grow(this.#positions.length + positions.length);
    this.#k.set(stacked.subarray(0, added), used);
    this.#v.set(stacked.subarray(added), used);
    this.#positions.push(...positions);
  }

  get positions(): readonly number[] {
    return this.#positions;
  }

  /** All keys, [rows, columns]: a view that the next append may outgrow. */
  get k(): Tensor {
    return this.#used(this.#k);
  }

  get v(): Tensor {
    return this.#used(this.#v);
  }

  #used(data: FloatArray): Tensor {
    const rows = this.#positions.length;
    return { data: data.subarray(0, rows * this.#columns), shape: [rows, this.#columns] };
  }

  #grow(rows: number): void {
    const length = Math.max(2 * this.#k.length, rows * this.#columns);
    for (const name of ["k", "v"] as const) {
      const larger = allocate(this.#word, length);
      larger.set(name === "k" ? this.#k : this.#v);
      if (name === "k") this.#k = larger;
      else this.#v = larger;
    }
  }
}
