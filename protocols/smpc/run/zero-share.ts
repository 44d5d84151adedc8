/**
 * Shares of zero: what an output share gets before it leaves, so that who receives all shares of a row learns the row and no more.
 *
 * Functionality: party p adds Σ_{q>p} G(p, q) - Σ_{q<p} G(q, p) mod 2^bits to its share of an output, G a stream of the pair's seed
 *   (in a session: protocols/fusion/node/zero-seeds.ts) that is named by batch and output and drawn once. The terms cancel, so the output stays as it is.
 * Parties: the n SMPC parties; no message.
 * Leaks: nothing. Without it a share is a function of opened and dealt words, and a receiver with the dealer could solve it for the
 *   opened words of other rows. With it, the shares of the parties that the receiver does not collude with are uniform but for their sum.
 * Assumes: who deals doesn't know the pairs' seeds; AES-128-CTR is a pseudorandom generator.
 * Cost: none a step; the seeds' is `zeroSeedCost` (protocols/fusion/node/zero-seeds.ts). Error bound: none (exact).
 * Reference: pairwise masks of secure aggregation, Bonawitz et al., CCS 2017, section 4; pseudorandom zero sharing, Cramer, Damgard and
 *   Ishai, TCC 2005. Proof: none (the sum telescopes). Test: tests/protocols/smpc/zero-share.test.ts
 */
import { ring } from "../../../shares/ring.ts";
import type { BatchStreams } from "../../../shares/stream-book.ts";
import type { Words } from "../../../shares/words.ts";

/** By peer: streams that a party and this peer draw, and nobody else can. */
export type PairStreams = ReadonlyMap<number, BatchStreams>;

/** Adds the share of zero of `party` to `words`, canonical mod 2^bits. Throws Error where `purpose` was drawn before. */
export function addZeroShare(words: Words, bits: number, party: number, pairs: PairStreams, purpose: string): void {
  const term: Words = new BigUint64Array(words.length);
  for (const [peer, streams] of pairs) {
    streams.stream(purpose).fillWords(term, bits);
    if (party < peer) ring.add(words, words, term);
    else ring.subtract(words, words, term);
  }
  ring.reduce(words, words, bits);
}
