/**
 * Client output: rows that stay with the client after the last layer.
 *
 * Functionality: the session holds x under `name`. Parties: the client. Leaks: nothing (local). Assumes: nothing.
 * Cost: none. Error bound: 0. Reference: none. Proof: none needed (no computation). Test: tests/protocols/smpc/client-gates.test.ts
 */
import type { Gate } from "../plan/gate.ts";
import { INERT } from "../plan/inert.ts";
import type { ValueId } from "../plan/value.ts";

/** Numbers of the client that the plan is for. */
export interface ClientOutputInstruction {
  readonly gate: "client-output";
  readonly x: ValueId;
  readonly name: string;
}

/** Rows for the client; the executor does the work. */
export const clientOutput: Gate<ClientOutputInstruction> = {
  name: "client-output",
  does: "rows that stay with the client after the last layer",
  operands: { x: () => 0 },
  ...INERT,
};
