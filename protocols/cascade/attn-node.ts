/**
 * An AttnNode (j, k): it keeps the keys and values of S_k that its queries may see, and answers query rows of S_j with partial results.
 *
 * Functionality: it begins with the keys and values of the public prefix in S_k, which it reads or computes itself. For each step and layer in which the schedule gives the pair work: take the new k, v rows into the cache, attend.
 *   With a masked merge it agrees with the other AttnNodes (j, ·) on scales first, and sends masked words (masked-merge.ts).
 * Parties: this node, CompNodes, AttnNodes (j, ·). Leaks: q rows of S_j, k and v rows of S_k, at every layer; with a masked merge, the
 *   other shards' log-sum-exp for its query rows. It gets no ids of secret tokens, and needs weights for
 *   a public prefix alone, before the first step.
 * Assumes: semi-honest. Cost: attention-pass.ts. Error bound: attention-pass.ts, masked-merge.ts. Reference: arXiv 2507.05228.
 * Test: tests/protocols/cascade/equivalence.test.ts
 */
import type { PublicPrefix } from "../../layers/prefix/public-prefix.ts";
import type { StageEngine } from "../../layers/stage-engine.ts";
import { stackRows, takeRows } from "../../layers/tensor.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { attendQueries, receiveKeys, sendPartials } from "./attention-pass.ts";
import type { Session } from "./session.ts";
import { KvCache } from "./kv-cache.ts";
import { MaskSeeds } from "./mask-seeds.ts";
import { sendMasked } from "./masked-merge.ts";
import { attnName } from "./party-name.ts";
import type { Schedule } from "./schedule.ts";

/**
 * Runs AttnNode (j, k) until the session's last step; rejects with the reason when the session or a peer ends before. `prefix`: of the
 * session's public tokens; null where it has none.
 */
export async function runAttnNode(
  j: number,
  k: number,
  session: Session,
  endpoint: Endpoint,
  engine: StageEngine,
  prefix: PublicPrefix | null,
): Promise<void> {
  const { schedule } = session;
  const party = attnName(j, k);
  const caches = Array.from({ length: schedule.layers }, (_, layer) => {
    const { kvHeads, headDim } = engine.attention(layer);
    return new KvCache(kvHeads * headDim, engine.word);
  });
  if (prefix !== null) await keepPrefix(schedule, k, prefix, caches);
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

/** Puts the keys and values of the public positions of S_k into the caches of the Cascade layers. */
async function keepPrefix(
  schedule: Schedule,
  k: number,
  prefix: PublicPrefix,
  caches: readonly KvCache[],
): Promise<void> {
  for (const { kind, from, to } of schedule.segments) {
    if (kind === "smpc") continue;
    for (let layer = from; layer < to; layer++) {
      const positions = schedule.prefixKeys(layer, k);
      if (positions.length === 0) continue;
      const rows = await prefix.layer(layer);
      caches[layer].append(stackRows([takeRows(rows.k, positions), takeRows(rows.v, positions)]).data, positions);
    }
  }
}
