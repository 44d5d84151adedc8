/**
 * Pre-pass: a CompNode projects its rows and hands them to the AttnNodes.
 *
 * Functionality: q, k, v = rows of R_i through norm, projection and position; the rows of q in S_j go to every AttnNode (j, ·) in
 *   which they see a key, the rows of k and v in S_k to every AttnNode (·, k) whose queries see them, now or later.
 * Parties: CompNode i (input x [rows, d]); AttnNodes (j, k) (output rows of q, k, v).
 * Leaks: to AttnNode (j, k) the q rows of S_j and the k, v rows of S_k, in the clear. With public weights these invert to the
 *   normed hidden row wherever the projection has full column rank.
 * Assumes: parties follow the protocol (semi-honest); links are private.
 * Cost: `prePassCost`; 1 round. Error bound: float32 rounding of the stage, or of the float16 wire where that is chosen.
 * Reference: arXiv 2507.05228, pre-pass. Proof: none (a movement of rows). Test: tests/protocols/cascade/equivalence.test.ts, cost.test.ts
 */
import { stackRows, takeRows, type Tensor } from "../../layers/tensor.ts";
import type { CostExpressions } from "../cost.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { keyOf, type Session } from "./session.ts";
import { attnName } from "./party-name.ts";

/**
 * Per layer and step. N: rows of the step; d, dq, dkv: widths of x, of q, of k; w: bytes a word. Nq, Nk: query and key rows sent,
 * summed over the pairs (each beta · N where no pair is idle). Mq, Mk: messages that carry them.
 */
export const prePassCost: CostExpressions = {
  payloadBytes: "w * (Nq * dq + 2 * Nk * dkv)",
  messages: "Mq + Mk",
  rounds: "1",
  multiplyAdds: "N * d * (dq + 2 * dkv)",
};

/** Which CompNode works on which layer and step. */
export interface LayerAt {
  readonly node: number;
  readonly layer: number;
  readonly step: number;
  /** Positions of the node's rows. */
  readonly positions: readonly number[];
}

/** Sends the rows of q [rows, dq], k and v [rows, dkv] to the AttnNodes of one layer and step. */
export async function sendProjections(
  session: Session,
  endpoint: Endpoint,
  at: LayerAt,
  { q, k, v }: { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor },
): Promise<void> {
  const allKv = stackRows([k, v]); // [2 · rows, dkv]
  const sends: Promise<void>[] = [];
  const send = (peer: string, role: "q" | "kv", { data, shape }: Tensor): void => {
    const matrix = { data, shape: [shape[0], shape[1]] as const };
    sends.push(endpoint.send(peer, keyOf(session, role, at.layer, at.step), matrix));
  };
  for (const { j, k: column, queryRows, keyRows } of session.schedule.ownWork(at.step, at.layer, at.node)) {
    const peer = attnName(j, column);
    if (keyRows.length === at.positions.length) send(peer, "kv", allKv);
    else if (keyRows.length > 0) send(peer, "kv", stackRows([takeRows(k, keyRows), takeRows(v, keyRows)]));
    if (queryRows.length > 0) send(peer, "q", takeRows(q, queryRows));
  }
  await Promise.all(sends);
}
