/**
 * Attention-pass: an AttnNode attends its query shard to its key shard and returns partial results.
 *
 * Functionality: for each query row of S_j and head: m = max a, e = Σ exp(a - m), u = Σ exp(a - m) v over the keys of S_k that it sees,
 *   a = scale · q·k, soft-capped and masked as the model says. A row that sees nothing gives (-∞, 0, 0).
 * Parties: AttnNode (j, k) (inputs q rows of S_j, cached k, v rows of S_k); CompNodes that own the query rows (output u, m, e).
 * Leaks: to a CompNode, of every shard k apart: u, m, e of its own rows. Where one key of the shard is visible, u / e is its v row;
 *   m tells logits. See docs/security.md.
 * Assumes: semi-honest parties, private links.
 * Cost: `attentionPassCost`; 1 round. Error bound: float32 rounding; never a NaN, whatever is masked.
 * Reference: arXiv 2507.05228, attention-pass. Proof: none yet. Test: tests/protocols/cascade/equivalence.test.ts, cost.test.ts
 */
import type { PartialAttention, StageEngine } from "../../layers/stage-engine.ts";
import { rowRange, stackRows, type FloatArray, type Tensor } from "../../layers/tensor.ts";
import type { CostExpressions } from "../cost.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { keyOf, type Session } from "./session.ts";
import type { KvCache } from "./kv-cache.ts";
import { packPartial } from "./merge.ts";
import type { PairWork } from "./schedule.ts";

/** Per layer and step. H: heads; QK: query rows times cached key rows, summed over the pairs; the rest as in the pre-pass. */
export const attentionPassCost: CostExpressions = {
  payloadBytes: "w * Nq * (dq + 2 * H)",
  messages: "Mq",
  rounds: "1",
  multiplyAdds: "2 * QK * dq",
};

/** Which pair, layer and step is worked on; `deadlineMs` applies to the first message (the step may not have begun). */
export interface AttentionAt {
  readonly layer: number;
  readonly step: number;
  readonly deadlineMs?: number;
}

/** Receives the key and value rows of this step into the cache. */
export async function receiveKeys(
  session: Session,
  endpoint: Endpoint,
  at: AttentionAt,
  work: PairWork,
  cache: KvCache,
  columns: number,
): Promise<void> {
  for (const [owner, positions] of session.schedule.owned(work.keys)) {
    const packed = await endpoint.receive(owner, keyOf(session, "kv", at.layer, at.step), {
      shape: [2 * positions.length, columns],
      word: "float",
      deadlineMs: at.deadlineMs,
    });
    cache.append(packed.data as FloatArray, positions);
  }
}

/** The query rows of a step that an AttnNode has attended to its keys. */
export interface AttendedQueries {
  /** CompNode to its positions: their rows follow one another in `partial`. */
  readonly owners: ReadonlyMap<string, readonly number[]>;
  readonly partial: PartialAttention;
}

/** Receives the query rows of this step and attends them to the cache. */
export async function attendQueries(
  session: Session,
  endpoint: Endpoint,
  engine: StageEngine,
  at: AttentionAt,
  work: PairWork,
  cache: KvCache,
): Promise<AttendedQueries> {
  const { heads, headDim } = engine.attention(at.layer);
  const owners = session.schedule.owned(work.queries);
  const received: Tensor[] = [];
  for (const [owner, positions] of owners) {
    const { data, shape } = await endpoint.receive(owner, keyOf(session, "q", at.layer, at.step), {
      shape: [positions.length, heads * headDim],
      word: "float",
      deadlineMs: at.deadlineMs,
    });
    received.push({ data: data as FloatArray, shape });
  }
  const positions = owners.size === 1 ? work.queries : [...owners.values()].flat();
  const partial = await engine.attend(at.layer, stackRows(received), positions, cache.k, cache.v, cache.positions);
  return { owners, partial };
}

/** Returns each owner the partial results of its rows. */
export async function sendPartials(
  session: Session,
  endpoint: Endpoint,
  at: AttentionAt,
  { owners, partial }: AttendedQueries,
): Promise<void> {
  let from = 0;
  const sends: Promise<void>[] = [];
  for (const [owner, { length }] of owners) {
    const part = (tensor: Tensor): Tensor => rowRange(tensor, from, from + length);
    const data = packPartial(part(partial.u), part(partial.m), part(partial.e));
    from += length;
    const shape = [length, data.length / length] as const;
    sends.push(endpoint.send(owner, keyOf(session, "partial", at.layer, at.step), { data, shape }));
  }
  await Promise.all(sends);
}
