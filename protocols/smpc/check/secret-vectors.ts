/**
 * The secret vectors of a client's checks, by the number of outputs that they choose from.
 *
 * Functionality: `of(part, columns)` gives the same uniform vectors in {0,1}^columns to every matrix of so many outputs that is `part`-th among
 *   those of the same rows. A lie in any answer is missed with probability 2^-vectors at most, whichever matrices share their vectors.
 * Parties: the client alone. Leaks: nothing. Assumes: streams that are used once (shares/stream-book.ts), of a seed that no server knows.
 * Cost: none on the wire. Error bound: none, nothing is rounded. Reference: answer-check.ts. Test: tests/protocols/smpc/answer-check.test.ts
 */
import type { BatchStreams } from "../../../shares/stream-book.ts";
import { SecretSubsets } from "./secret-subsets.ts";

/** Vectors that are drawn where nobody says how many: a lie is missed with probability 1e-6. */
const VECTORS = 20;

/** Draws vectors when they are first asked for and keeps them: for all sessions until a server is caught, then draw new ones. */
export class SecretVectors {
  readonly vectors: number;
  readonly #streams: BatchStreams;
  readonly #drawn = new Map<string, SecretSubsets>();

  /** `vectors`: 1 to 21. */
  constructor(streams: BatchStreams, vectors = VECTORS) {
    this.vectors = vectors;
    this.#streams = streams;
  }

  /** The vectors of the `part`-th matrix of `columns` outputs. Throws RangeError for a number of vectors that isn't 1 to 21. */
  of(part: number, columns: number): SecretSubsets {
    const name = `check ${part} of ${columns}`;
    let subsets = this.#drawn.get(name);
    if (subsets === undefined) {
      subsets = SecretSubsets.draw(columns, this.vectors, this.#streams.stream(name));
      this.#drawn.set(name, subsets);
    }
    return subsets;
  }
}
