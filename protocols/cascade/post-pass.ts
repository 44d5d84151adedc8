/**
 * Post-pass: a CompNode merges the partial results of its rows and finishes the layer.
 *
 * Functionality: attended = ⊕_k partial(j, k) for every row (protocols/cascade/merge.ts), then output projection, residual, MLP.
 * Parties: CompNode i (inputs: its rows x, partial results of every pair that its rows ask; output: its rows of the next layer).
 * Leaks: nothing (local).
 * Assumes: the partial results are over disjoint key shards (the schedule's partition).
 * Cost: `postPassCost`; no message. Error bound: the merge adds float32 rounding, a few units in the last place of u and e.
 * Reference: arXiv 2507.05228, post-pass. Proof: the merge's monoid laws, by property. Test: tests/protocols/cascade/merge.test.ts, equivalence.test.ts
 */
import type { StageEngine } from "../../layers/stage-engine.ts";
import type { FloatArray, Tensor } from "../../layers/tensor.ts";
import type { CostExpressions } from "../cost.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { keyOf, type Session } from "./session.ts";
import { MaskedSum } from "./masked-merge.ts";
import { Merge } from "./merge.ts";
import type { LayerAt } from "./pre-pass.ts";
import { attnName } from "./party-name.ts";

/** Per layer and step. Mlp: multiply-adds a row of the MLP, a quantity of the architecture; the rest as in the pre-pass. */
export const postPassCost: CostExpressions = {
  payloadBytes: "0",
  messages: "0",
  rounds: "0",
  multiplyAdds: "N * (dq * d + Mlp) + Nq * (dq + 2 * H)",
};

/** Receives and merges the partial results of the rows `positions` in one layer and step: [rows, heads·headDim]. */
export async function mergePartials(
  session: Session,
  endpoint: Endpoint,
  engine: StageEngine,
  at: LayerAt,
): Promise<Tensor> {
  if (session.mergeScales !== null) return sumMasked(session, endpoint, engine, at);
  const { heads, headDim } = engine.attention(at.layer);
  const merge = new Merge(at.positions.length, heads, headDim, engine.word);
  for (const { j, k, queryRows: rows } of session.schedule.ownWork(at.step, at.layer, at.node)) {
    if (rows.length === 0) continue;
    const packed = await endpoint.receive(attnName(j, k), keyOf(session, "partial", at.layer, at.step), {
      shape: [rows.length, heads * (headDim + 2)],
      word: "float",
    });
    merge.add(packed.data as FloatArray, rows);
  }
  return merge.finish();
}

/** The same from masked words: which of them came from where no longer matters. */
async function sumMasked(session: Session, endpoint: Endpoint, engine: StageEngine, at: LayerAt): Promise<Tensor> {
  const attention = engine.attention(at.layer);
  const sum = new MaskedSum(at.positions.length, attention);
  for (const { j, k, queryRows: rows } of session.schedule.ownWork(at.step, at.layer, at.node)) {
    if (rows.length === 0) continue;
    const words = await endpoint.receive(attnName(j, k), keyOf(session, "masked", at.layer, at.step), {
      shape: [rows.length, attention.heads * attention.headDim],
      word: "int32",
    });
    sum.add(words.data as Int32Array, rows);
  }
  return sum.finish(engine.word, session.mergeScales!.fractionBits[at.layer]);
}
