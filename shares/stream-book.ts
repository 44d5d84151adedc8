/** Secret streams that can be drawn once each: a stream that is drawn twice gives the difference of two secrets away. */
import { Generator } from "./generator.ts";
import type { UniformWords } from "./sharing.ts";
import type { PackedWords } from "./words.ts";

/** A stream of uniform words. */
export interface WordStream extends UniformWords {
  /** The next `count` words of `bits` bits, still packed: they stay there until the next draw. */
  packedWords(count: number, bits: number): PackedWords;
}

/** The streams of one seed for one batch: each purpose can be drawn once. */
export interface BatchStreams {
  /** The stream of a purpose. Throws Error for a purpose that was drawn before. */
  stream(purpose: string): WordStream;
}

/**
 * A seed and what was drawn from it. Streams of other batches and purposes are independent, and whoever has the seed draws the same ones.
 * It remembers the names of batches for as long as it lives, and the purposes of a batch for as long as somebody holds its streams.
 */
export class StreamBook {
  readonly #seed: Uint8Array;
  readonly #batches = new Set<string>();

  constructor(seed: Uint8Array) {
    this.#seed = Uint8Array.from(seed); // what came in a message may lie in a buffer that is used again
  }

  /** The streams of a batch, for this one use. Throws Error for a batch that was drawn before. */
  batch(name: string): BatchStreams {
    if (this.#batches.has(name))
      throw new Error(`batch ${name}: expected streams that are drawn once, got a second draw; take a new batch`);
    this.#batches.add(name);
    const seed = this.#seed;
    const purposes = new Set<string>();
    return {
      stream(purpose) {
        if (purposes.has(purpose))
          throw new Error(`stream ${purpose} of batch ${name}: expected one draw, got a second; a mask is used once`);
        purposes.add(purpose);
        return new Generator(seed, JSON.stringify([name, purpose])); // as JSON no two pairs are one text
      },
    };
  }
}
