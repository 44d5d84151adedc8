/** A row as servers of a delegated layer hold it: the client's row of length 1 plus a mask, if the mask is one. */
import type { HeldRows } from "./held-rows.ts";

/** Two rows of length 1 are no further apart than this; roundings have room. */
const LONGEST_DIFFERENCE = 2.001;

export class MaskedRow {
  readonly position: number;
  readonly layer: number | null;
  /** Its token, where the attacker knows it. */
  readonly token: number | null;
  /** Masks of one format may be one mask: columns, and bits of the word and of its fraction. */
  readonly format: string;
  /** Residues mod `#ring`, which are integers below 2^53. */
  readonly #words: Float64Array;
  readonly #ring: number;
  readonly #unit: number;

  private constructor({ positions, layer, info, words }: HeldRows, row: number, token: number | null) {
    const { columns, ringBits, fracBits } = info;
    this.position = positions[row];
    this.layer = layer;
    this.token = token;
    this.format = [columns, ringBits, fracBits].join(" ");
    this.#words = Float64Array.from(words.subarray(row * columns, (row + 1) * columns), Number);
    this.#ring = 2 ** ringBits;
    this.#unit = 2 ** -fracBits;
  }

  /** The rows of a product; `ids`: of the session's tokens by position, where the attacker knows them. */
  static of(held: HeldRows, ids: readonly number[] | null): MaskedRow[] {
    return held.positions.map((position, row) => new MaskedRow(held, row, ids?.[position] ?? null));
  }

  /** The words as signed numbers. */
  numbers(): Float64Array {
    return this.#words.map((word) => this.#signed(word) * this.#unit);
  }

  /** Is it a row of length 1, so that no mask is on it? Of uniform words it has a chance below 2^(-10 * columns). */
  get isBare(): boolean {
    return this.#length((at) => this.#words[at]) !== null;
  }

  /** This row less another one, where both have one mask; null where the difference is too long for two rows of length 1. */
  less(other: MaskedRow): Float64Array | null {
    if (this.format !== other.format) return null;
    if (this.#length((at) => this.#words[at] - other.#words[at]) === null) return null;
    return this.#words.map((word, at) => this.#signed(word - other.#words[at]) * this.#unit);
  }

  #signed(word: number): number {
    return word - this.#ring * Math.round(word / this.#ring);
  }

  /** 2-norm; null above the longest difference: most words are not looked at. */
  #length(word: (at: number) => number): number | null {
    const most = (LONGEST_DIFFERENCE / this.#unit) ** 2;
    let squares = 0;
    for (let at = 0; at < this.#words.length; at++) {
      squares += this.#signed(word(at)) ** 2;
      if (squares > most) return null;
    }
    return Math.sqrt(squares) * this.#unit;
  }
}
