import { randomBytes } from "node:crypto";
import type { PairStreams } from "../../../protocols/smpc/run/zero-share.ts";
import { StreamBook, type BatchStreams } from "../../../shares/stream-book.ts";

/** The streams that each of some parties shares with its peers, from fresh seeds, for one batch. */
export function pairStreams(parties: number, batch: string): PairStreams[] {
  const all = Array.from({ length: parties }, () => new Map<number, BatchStreams>());
  for (let party = 0; party < parties; party++)
    for (let peer = 0; peer < party; peer++) {
      const seed = randomBytes(32);
      all[party].set(peer, new StreamBook(seed).batch(batch));
      all[peer].set(party, new StreamBook(seed).batch(batch));
    }
  return all;
}
