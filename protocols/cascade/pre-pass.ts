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
import { takeRows, type Tensor } from "../../layers/tensor.ts";
import type { CostExpressions } from "../cost.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { keyOf, type CascadeSession } from "./cascade-session.ts";
import { attnName } from "./schedule.ts";

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

/** Sends the rows of q [rows, dq], k and v [rows, dkv], which belong to `positions`, to the AttnNodes of one layer and step. */
export async function sendProjections(
  session: CascadeSession,
  endpoint: Endpoint,
  at: { readonly layer: number; readonly step: number; readonly positions: readonly number[] },
  { q, k, v }: { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor },
): Promise<void> {
  const rowOf = new Map(at.positions.map((position, row) => [position, row]));
  const owned = (positions: readonly number[]): number[] =>
    positions.map((t) => rowOf.get(t)).filter((row) => row !== undefined);
  const kv = sideBySide(k, v);
  const sends: Promise<void>[] = [];
  for (const { j, k: column, queries, keys } of session.schedule.work(at.step, at.layer)) {
    for (const [role, tensor, rows] of [
      ["kv", kv, owned(keys)],
      ["q", q, owned(queries)],
    ] as const) {
      if (rows.length === 0) continue;
      const { data } = takeRows(tensor, rows);
      sends.push(
        endpoint.send(attnName(j, column), keyOf(session, role, at.layer, at.step), {
          data,
          shape: [rows.length, tensor.shape[1]],
        }),
      );
    }
  }
  await Promise.all(sends);
}

/** [rows, a] and [rows, b] to [rows, a + b]. */
function sideBySide(left: Tensor, right: Tensor): Tensor {
  const [rows, a] = left.shape;
  const b = right.shape[1];
  const data = left.data instanceof Float32Array ? new Float32Array(rows * (a + b)) : new Float64Array(rows * (a + b));
  for (let row = 0; row < rows; row++) {
    data.set(left.data.subarray(row * a, (row + 1) * a), row * (a + b));
    data.set(right.data.subarray(row * b, (row + 1) * b), row * (a + b) + a);
  }
  return { data, shape: [rows, a + b] };
}
