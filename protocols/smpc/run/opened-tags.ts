/**
 * Did all parties get the same words? Each tells the receivers of a segment's rows, in tags that only equality can be read from.
 *
 * Functionality: for each peer a party makes a tag of all words that were opened in a batch (every party's part of every round): the
 *   first 16 bytes of HMAC-SHA-256 under a key that the two draw from their pair's seed (protocols/fusion/node/zero-seeds.ts) for this batch. The tags travel
 *   in front of the rows that are handed over; who receives them compares, for every two parties, the tag that each made for the other.
 *   If they differ, a party sent its peers different words (or a link changed them, or it computed with others than it sent), the rows
 *   are wrong, and the session ends before they are used. No message and no round of its own: the parties themselves don't wait.
 * Parties: the n SMPC parties (inputs: what they received), CompNodes or the client (output: whether all are equal).
 * Leaks: to a receiver, whether the words are equal. Not the words: a plain hash would let a receiver with the dealer try inputs.
 * Assumes: the receiver colludes with no faulty party: it may keep silent. Not found is a party that computes with the wrong words that
 *   it sends to all alike. With two parties nobody can be told different words; there it finds a link's or a party's own error.
 * Cost: 16 (n - 1) bytes in each message that hands rows over, in `handOverCost`. Error bound: none; a difference that isn't
 *   found has probability 2^-128.
 * Reference: HMAC, RFC 2104; comparing what a broadcast brought: Goldwasser and Lindell, J. Cryptology 2005. Proof: none.
 * Test: tests/protocols/smpc/opened-tags.test.ts
 */
import { createHash, createHmac, timingSafeEqual, type Hash } from "node:crypto";
import type { PairStreams } from "./zero-share.ts";

const TAG_BYTES = 16;
const KEY_BYTES = 32;
/** No output is called so. */
const PURPOSE = "opened tag";

/** Bytes of a party's tags. */
export const tagsBytes = (parties: number): number => TAG_BYTES * (parties - 1);

/** What was opened in one batch, as one party sent and received it. */
export class OpenedTags {
  readonly #hash: Hash = createHash("sha256");

  /** Takes in everyone's payload of a round, by party. Rounds follow one another. */
  add(round: number, all: readonly Uint8Array[]): void {
    for (const [party, payload] of all.entries()) {
      this.#hash.update(`round ${round}, party ${party}, ${payload.length} bytes\n`).update(payload);
    }
  }

  /** The tag for each peer, in ascending order. Once a batch. */
  finish(pairs: PairStreams): Uint8Array {
    const opened = this.#hash.digest();
    const peers = [...pairs.keys()].sort((a, b) => a - b);
    return Buffer.concat(
      peers.map((peer) => {
        const { bytes } = pairs.get(peer)!.stream(PURPOSE).packedWords(KEY_BYTES, 8);
        return createHmac("sha256", bytes).update(opened).digest().subarray(0, TAG_BYTES);
      }),
    );
  }
}

/** Every two parties whose tags for one another differ; `tags`: by party, as `finish` makes them. Throws RangeError for tags of other length. */
export function differingPairs(tags: readonly Uint8Array[]): (readonly [party: number, peer: number])[] {
  const of = (party: number, peer: number): Uint8Array => {
    if (tags[party].length !== tagsBytes(tags.length))
      throw new RangeError(
        `tags of party ${party}: expected ${tagsBytes(tags.length)} bytes, got ${tags[party].length}`,
      );
    const at = (peer < party ? peer : peer - 1) * TAG_BYTES;
    return tags[party].subarray(at, at + TAG_BYTES);
  };
  return tags.flatMap((_, party) =>
    tags.map((__, peer) => [party, peer] as const).filter(([a, b]) => a < b && !timingSafeEqual(of(a, b), of(b, a))),
  );
}
