/**
 * Evaluate: the client computes an operation of the block program on its own numbers.
 *
 * Functionality: out = operation(inputs) in float64; attention keeps its rows of K and V for the steps that follow.
 * Parties: the client alone. Leaks: nothing (local). Assumes: nothing.
 * Cost: none that is sent; the client's own work. Error bound: float64 rounding.
 * Reference: layers/reference/algebra.ts. Proof: none needed (no protocol). Test: tests/protocols/smpc/client-evaluation.test.ts
 */
import { evaluateOperation } from "../evaluation/evaluate-operation.ts";
import type { Operation } from "../evaluation/operation.ts";
import type { ClientWalk, Gate } from "../plan/gate.ts";
import { INERT } from "../plan/inert.ts";
import type { ValueId } from "../plan/value.ts";

/** out (client) = operation of the inputs (client). */
export interface EvaluateInstruction {
  readonly gate: "evaluate";
  readonly operation: Operation;
  readonly inputs: readonly { readonly x: ValueId }[];
  readonly out: ValueId;
}

/** An operation at the client. */
export const evaluate: Gate<EvaluateInstruction> = {
  name: "evaluate",
  does: "the client computes a norm, an attention, an activation or a sum on its own numbers",
  operands: { inputs: () => 0 },
  ...INERT,
  clear: evaluated,
  client: evaluated,
};

function evaluated({ operation, inputs, out }: EvaluateInstruction, walk: ClientWalk): void {
  walk.setReal(
    out,
    evaluateOperation(
      operation,
      inputs.map(({ x }) => walk.real(x)),
      { rows: walk.info(inputs[0].x).rows, model: walk.model, kept: walk.keptReals },
    ),
  );
}
