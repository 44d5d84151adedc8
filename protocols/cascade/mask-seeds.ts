/**
 * Mask seeds: every two AttnNodes of a query shard share a seed that nobody else knows, and add masks from it that cancel.
 *
 * Functionality: AttnNode (j, k) draws 32 random bytes for each (j, k') with k < k' when the two first work on the same rows, and sends
 *   them. The mask of (j, k) in a layer and step is Σ_{k'>k} G(k, k') - Σ_{k'<k} G(k', k) mod 2^32 over the AttnNodes at work on these
 *   rows, G the AES-128-CTR stream keyed by seed, session, layer and step (drawn once): the masks of all of them sum to 0.
 * Parties: AttnNodes (j, ·), over links of their own. Neither the client nor a CompNode takes part.
 * Leaks: nothing (random words). A CompNode with t of the b AttnNodes learns the sum over the other b - t, for any t: every pair shares
 *   a seed (with seeds between neighbours alone, the colluders would cut the circle into arcs and learn the sum over each).
 * Assumes: AES-128-CTR is a pseudorandom generator; private links.
 * Cost: `maskSeedCost`, once a session; no round of its own, a seed goes with the first scale. Error bound: none (masks cancel exactly).
 * Reference: pairwise masks of secure aggregation, Bonawitz et al., CCS 2017, section 4. Proof: none (the sum telescopes).
 * Test: tests/protocols/cascade/masked-merge.test.ts
 */
import { randomBytes } from "node:crypto";
import { StreamBook, type BatchStreams } from "../../shares/stream-book.ts";
import type { CostExpressions } from "../cost.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import type { AttentionAt } from "./attention-pass.ts";
import { keyOf, NO_LAYER, type Session } from "./session.ts";
import { attnName } from "./party-name.ts";

const SEED_BYTES = 32;

/** Once a session. Mp: pairs of AttnNodes that work on the same rows at any time. */
export const maskSeedCost: CostExpressions = {
  payloadBytes: `${SEED_BYTES} * Mp`,
  messages: "Mp",
  rounds: "0",
  multiplyAdds: "0",
};

/** The seeds that AttnNode (j, k) shares in one session. */
export class MaskSeeds {
  readonly #session: Session;
  readonly #endpoint: Endpoint;
  readonly #j: number;
  readonly #k: number;
  /** By the other one's k. */
  readonly #masks = new Map<number, PairMasks>();

  constructor(session: Session, endpoint: Endpoint, j: number, k: number) {
    this.#session = session;
    this.#endpoint = endpoint;
    this.#j = j;
    this.#k = k;
  }

  /** Draws and sends the seeds that this node owes to `others`, where it has not yet. */
  async offer(others: readonly number[]): Promise<void> {
    const owed = others.filter((other) => other > this.#k && !this.#masks.has(other));
    await Promise.all(
      owed.map((other) => {
        const data = new Uint8Array(randomBytes(SEED_BYTES));
        this.#masks.set(other, new PairMasks(data));
        const shape = [1, SEED_BYTES] as const;
        return this.#endpoint.send(attnName(this.#j, other), this.#key, { data, shape });
      }),
    );
  }

  /** Waits for the seeds that `others` owe to this node. */
  async collect(others: readonly number[], { deadlineMs }: AttentionAt): Promise<void> {
    for (const other of others) {
      if (other > this.#k || this.#masks.has(other)) continue;
      const { data } = await this.#endpoint.receive(attnName(this.#j, other), this.#key, {
        shape: [1, SEED_BYTES],
        word: "uint8",
        deadlineMs,
      });
      this.#masks.set(other, new PairMasks(data as Uint8Array));
    }
  }

  /** Adds this node's mask to `words`, which are in the same order at all of `others`. Their seeds must be there. */
  mask(words: Int32Array, others: readonly number[], { layer, step }: AttentionAt): void {
    for (const other of others)
      this.#masks.get(other)!.add(words, this.#k < other ? 1 : -1, {
        session: this.#session.number,
        layer,
        step,
      });
  }

  get #key() {
    return keyOf(this.#session, "pairseed", NO_LAYER, 0);
  }
}

/** The masks of one pair of AttnNodes: a stream for each layer and step, each used once. */
export class PairMasks {
  readonly #book: StreamBook;
  /** The layers of the step at hand. */
  #at: { readonly name: string; readonly layers: BatchStreams } | null = null;

  constructor(seed: Uint8Array) {
    this.#book = new StreamBook(seed);
  }

  /** Adds sign · G(seed; session, layer, step) to the words, mod 2^32. Steps follow one another. Throws Error for a second use of one. */
  add(
    words: Int32Array,
    sign: 1 | -1,
    { session, layer, step }: { readonly session: number; readonly layer: number; readonly step: number },
  ): void {
    const name = `merge/${session}/${step}`;
    if (this.#at?.name !== name) this.#at = { name, layers: this.#book.batch(name) };
    const { bytes } = this.#at.layers.stream(String(layer)).packedWords(words.length, 32);
    const mask = new Int32Array(bytes.buffer, bytes.byteOffset, words.length);
    if (sign === 1) for (let i = 0; i < words.length; i++) words[i] += mask[i];
    else for (let i = 0; i < words.length; i++) words[i] -= mask[i];
  }
}
