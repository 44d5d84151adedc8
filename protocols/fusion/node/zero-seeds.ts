/**
 * Zero seeds: every two SMPC parties share a seed that nobody else knows, least of all who deals.
 *
 * Functionality: when a session begins, party p draws 32 random bytes for each party q > p and sends them. From them the two draw
 *   shares of zero (protocols/smpc/run/zero-share.ts) and keys of tags (opened-tags.ts).
 * Parties: the SMPC parties, over links of their own. Leaks: nothing (random words). Assumes: private links.
 * Cost: `zeroSeedCost`, once a session; no round of its own: they depend on nothing, as what is dealt.
 * Error bound: none. Reference: pairwise seeds of secure aggregation, Bonawitz et al., CCS 2017, section 4.
 * Test: tests/protocols/fusion/secret-streams.test.ts
 */
import { randomBytes } from "node:crypto";
import { StreamBook } from "../../../shares/stream-book.ts";
import { smpcName } from "../../cascade/party-name.ts";
import type { CostExpressions } from "../../cost.ts";
import { SEED_BYTES } from "../../smpc/run/share-rows.ts";
import type { Endpoint, MessageKey } from "../../wire/endpoint.ts";

/** Once a session; n: parties. */
export const zeroSeedCost: CostExpressions = {
  payloadBytes: `${SEED_BYTES} * n * (n - 1) / 2`,
  messages: "n * (n - 1) / 2",
  rounds: "0",
  multiplyAdds: "0",
};

/** Gives the peers of `party` their seeds and takes theirs: the books of its pairs, by peer. Throws DeadlineError naming a peer. */
export async function exchangeZeroSeeds(
  endpoint: Endpoint,
  party: number,
  parties: number,
  key: MessageKey,
  deadlineMs: number,
): Promise<ReadonlyMap<number, StreamBook>> {
  const peers = Array.from({ length: parties }, (_, peer) => peer).filter((peer) => peer !== party);
  const shape = [1, SEED_BYTES] as const;
  const seeds = await Promise.all(
    peers.map(async (peer) => {
      if (peer < party)
        return (await endpoint.receive(smpcName(peer), key, { shape, word: "uint8", deadlineMs })).data as Uint8Array;
      const data = new Uint8Array(randomBytes(SEED_BYTES));
      await endpoint.send(smpcName(peer), key, { data, shape });
      return data;
    }),
  );
  return new Map(peers.map((peer, at) => [peer, new StreamBook(seeds[at])]));
}
