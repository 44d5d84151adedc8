/**
 * An AttnNode (j, k): it keeps the keys and values of S_k that its queries may see, and answers query rows of S_j with partial results.
 *
 * Functionality: for each step and layer in which the schedule gives the pair work: take the new k, v rows into the cache, attend.
 *   With a masked merge it agrees with the other AttnNodes (j, ·) on scales first, and sends masked words (masked-merge.ts).
 * Parties: this node, CompNodes, AttnNodes (j, ·). Leaks: q rows of S_j, k and v rows of S_k, at every layer; with a masked merge, the
 *   other shards' log-sum-exp for its query rows. It needs no weights and gets no ids.
 * Assumes: semi-honest. Cost: attention-pass.ts. Error bound: attention-pass.ts, masked-merge.ts. Reference: arXiv 2507.05228.
 * Test: tests/protocols/cascade/equivalence.test.ts
 */
import type { StageEngine } from "../../layers/stage-engine.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { attendQueries, receiveKeys, sendPartials } from "./attention-pass.ts";
import type { Session } from "./session.ts";
import { KvCache } from "./kv-cache.ts";
import { MaskSeeds } from "./mask-seeds.ts";
import { sendMasked } from "./masked-merge.ts";
import { attnName } from "./party-name.ts";

/** Runs AttnNode (j, k) until the session's last step; rejects with the reason when the session or a peer ends before. */
export async function runAttnNode(
  j: number,
  k: number,
  session: Session,
  endpoint: Endpoint,
  engine: StageEngine,
): Promise<void> {
  const { schedule } = session;
  const party = attnName(j, k);
  const caches = Array.from({ length: schedule.layers }, (_, layer) => {
    const { kvHeads, headDim } = engine.attention(layer);
    return new KvCache(kvHeads * headDim, engine.word);
  });
  const seeds = new MaskSeeds(session, endpoint, j, k);
  for (let step = 0; step < schedule.steps; step++) {
    for (const segment of schedule.segments) {
      if (segment.kind === "smpc") continue;
      // Before a segment a person thinks, or the SMPC parties compute.
      let deadlineMs: number | undefined = session.idleDeadlineMs;
      for (let layer = segment.from; layer < segment.to; layer++) {
        const work = schedule.pair(step, layer, party);
        if (work === undefined) continue;
        const attention = engine.attention(layer);
        const at = { layer, step, deadlineMs };
        await receiveKeys(session, endpoint, at, work, caches[layer], attention.kvHeads * attention.headDim);
        if (work.queries.length > 0) {
          const attended = await attendQueries(session, endpoint, engine, at, work, caches[layer]);
          if (schedule.isMasked) await sendMasked(session, endpoint, at, { j, k, seeds, attention }, attended);
          else await sendPartials(session, endpoint, at, attended);
        }
        deadlineMs = undefined;
      }
    }
  }
}
