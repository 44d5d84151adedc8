import { allocate, type FloatArray, type Tensor, type Word } from "../../layers/tensor.ts";

/** Keys and values of one layer at one AttnNode, in the order of arrival; grows by doubling. */
export class KvCache {
  readonly #columns: number;
  readonly #word: Word;
  readonly #positions: number[] = [];
  /** [capacity, columns] each; the first positions.length rows are in use */
  #k: FloatArray;
  #v: FloatArray;

  /** `columns` is kvHeads · headDim. */
  constructor(columns: number, word: Word, capacity = 16) {
    this.#columns = columns;
    this.#word = word;
    this.#k = allocate(word, capacity * columns);
    this.#v = allocate(word, capacity * columns);
  }

  /** Appends rows packed side by side, [positions.length, 2 · columns]: the key, then the value. */
  append(packed: FloatArray, positions: readonly number[]): void {
    const rows = this.#positions.length + positions.length;
    if (rows * this.#columns > this.#k.length) this.#grow(rows);
    positions.forEach((position, at) => {
      const source = at * 2 * this.#columns;
      const target = this.#positions.length * this.#columns;
      this.#k.set(packed.subarray(source, source + this.#columns), target);
      this.#v.set(packed.subarray(source + this.#columns, source + 2 * this.#columns), target);
      this.#positions.push(position);
    });
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
