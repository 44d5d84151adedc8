import type { UniformWords } from "../../shares/sharing.ts";
import type { Words } from "../../shares/words.ts";

/**
 * All randomness at once, in place of a generator: element i of every array of 2^totalBits words stands for random choice i, whose bits are
 * handed out draw by draw. What is computed element by element is so computed for every choice once.
 */
export class EveryWord implements UniformWords {
  readonly count: number;
  readonly #totalBits: number;
  #usedBits = 0;

  constructor(totalBits: number) {
    this.#totalBits = totalBits;
    this.count = 2 ** totalBits;
  }

  fillWords(out: Words, bits: number): void {
    if (out.length !== this.count)
      throw new RangeError(`every word: expected ${this.count} words, one a choice, got ${out.length}`);
    if (this.#usedBits + bits > this.#totalBits)
      throw new RangeError(`every word: expected ${this.#totalBits} random bits, got ${this.#usedBits + bits} drawn`);
    const [shift, mask] = [this.#usedBits, 2 ** bits - 1];
    for (let i = 0; i < out.length; i++) out[i] = BigInt((i >>> shift) & mask);
    this.#usedBits += bits;
  }

  /** Throws Error unless every bit was drawn: then each choice has the same weight and none is left out. */
  finish(): void {
    if (this.#usedBits !== this.#totalBits)
      throw new Error(`every word: expected ${this.#totalBits} random bits, got ${this.#usedBits} drawn`);
  }
}

/** How many random bits an element costs, counted on a dry run of one element. */
export class CountedBits implements UniformWords {
  totalBits = 0;

  fillWords(out: Words, bits: number): void {
    out.fill(0n);
    this.totalBits += bits;
  }
}
