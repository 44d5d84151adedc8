/**
 * Scale exchange: the AttnNodes of a query shard agree on the weight of each shard's result in the merged row.
 *
 * Functionality: AttnNode (j, k) sends l_k = m_k + log e_k, one number a row and head (-∞: nothing visible), to every (j, k') that works
 *   on the same rows; the weight of shard k is exp(l_k) / Σ exp(l). l is rounded to the wire's word before anyone uses it, its sender
 *   included: weights sum to 1 whatever the word.
 * Parties: AttnNodes (j, ·) at work on these rows (inputs: their m and e; output: each its own weights).
 * Leaks: to AttnNode (j, k) the log-sum-exp of every other shard for rows whose q it holds. Where one key of that shard is visible this
 *   is its logit: as many rows as a head is wide determine the key.
 * Assumes: semi-honest; private links between AttnNodes (j, ·).
 * Cost: `scaleExchangeCost`. Error bound: |l| · 2^-24 relative in a weight (float32), |l| · 2^-11 (float16).
 * Reference: log-sum-exp merge of partial softmax results (ring attention, flash decoding). Proof: none yet.
 * Test: tests/protocols/cascade/masked-merge.test.ts
 */
import type { FloatArray } from "../../layers/tensor.ts";
import type { PartialAttention } from "../../layers/stage-engine.ts";
import type { CostExpressions } from "../cost.ts";
import type { Endpoint, WireWord } from "../wire/endpoint.ts";
import { beyondFloat16, MAX_FLOAT16, roundToFloat16, widenFloat16 } from "../wire/float16.ts";
import type { AttentionAt } from "./attention-pass.ts";
import { keyOf, type Session } from "./session.ts";
import { attnName } from "./party-name.ts";

/**
 * Per layer and step. Np: query rows times ordered pairs of AttnNodes that both work on them; Mx: such pairs, one message each;
 * X: 1 where there are any, else 0.
 */
export const scaleExchangeCost: CostExpressions = {
  payloadBytes: "w * Np * H",
  messages: "Mx",
  rounds: "X",
  multiplyAdds: "Np * H",
};

/** Sends this node's scales to `others` (k of each), and returns its weights [rows, heads] once theirs are there. */
export async function exchangeScales(
  session: Session,
  endpoint: Endpoint,
  at: AttentionAt,
  j: number,
  others: readonly number[],
  { m, e }: Pick<PartialAttention, "m" | "e">,
): Promise<Float64Array> {
  const shape = [m.shape[0], m.shape[1]] as const;
  const own = logSums(m.data, e.data, session.wire);
  const key = keyOf(session, "scale", at.layer, at.step);
  await Promise.all(others.map((other) => endpoint.send(attnName(j, other), key, { data: own, shape })));
  const received = await Promise.all(
    others.map((other) =>
      endpoint.receive(attnName(j, other), key, { shape, word: "float", deadlineMs: at.deadlineMs }),
    ),
  );
  return weightsOf(
    own,
    received.map(({ data }) => data as FloatArray),
  );
}

/** l = m + log e, as the wire will carry it, in an array that the wire sends without rounding again. Throws RangeError beyond float16. */
export function logSums(m: FloatArray, e: FloatArray, wire: WireWord): FloatArray {
  const exact = Float64Array.from(m, (most, slot) => (e[slot] === 0 ? -Infinity : most + Math.log(e[slot])));
  if (wire === "float64") return exact;
  if (wire === "float32") return Float32Array.from(exact);
  if (beyondFloat16(exact) >= 0)
    throw new RangeError(
      `scale exchange: expected log-sum-exps within ${MAX_FLOAT16}, the largest of float16, got one beyond; use --wire float32`,
    );
  const words = new Uint16Array(exact.length);
  roundToFloat16(exact, words);
  return widenFloat16(words);
}

/** exp(l) / (exp(l) + Σ exp(others)); 0 where all are -∞. Throws RangeError where a scale is not a number or +∞. */
export function weightsOf(own: FloatArray, others: readonly FloatArray[]): Float64Array {
  return Float64Array.from(own, (l, slot) => {
    const most = others.reduce((max, other) => Math.max(max, other[slot]), l);
    if (most === -Infinity) return 0;
    if (!Number.isFinite(most))
      throw new RangeError(`scale exchange: expected finite scales or -Infinity, got ${most}`);
    const gain = Math.exp(l - most);
    return gain / others.reduce((sum, other) => sum + Math.exp(other[slot] - most), gain);
  });
}
