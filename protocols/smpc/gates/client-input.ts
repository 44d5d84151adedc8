/**
 * Client input: rows that the client has before the first layer.
 *
 * Functionality: out = what the client holds under `name`. Parties: the client. Leaks: nothing (local). Assumes: nothing.
 * Cost: none. Error bound: 0. Reference: none. Proof: none needed (no computation). Test: tests/protocols/smpc/client-gates.test.ts
 */
import type { Gate } from "../plan/gate.ts";
import { INERT } from "../plan/inert.ts";
import type { ValueId } from "../plan/value.ts";

/** Numbers of the client from outside the plan. */
export interface ClientInputInstruction {
  readonly gate: "client-input";
  readonly out: ValueId;
  readonly name: string;
}

/** Rows of the client; the executor does the work. */
export const clientInput: Gate<ClientInputInstruction> = {
  name: "client-input",
  does: "rows that the client has before the first layer",
  operands: {},
  ...INERT,
};
