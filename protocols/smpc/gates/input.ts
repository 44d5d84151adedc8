/**
 * Input: a share that comes from outside, from the client or from the CompNodes.
 *
 * Functionality: out = what the session holds under `name`; the executor sets it, since only the executor knows the session.
 * Parties: every party (its own share, full words mod 2^64).
 * Leaks: nothing beyond its share to each party: any n - 1 shares are uniform.
 * Assumes: whoever shares the value draws fresh shares, uniform mod 2^ringBits.
 * Cost: none inside the plan (the hand-over that brings the share is counted where it happens).
 * Error bound: 0 units.
 * Reference: additive sharing. Proof: none needed (no computation). Test: tests/protocols/smpc/share-gates.test.ts
 */
import type { Gate } from "../plan/gate.ts";
import { INERT } from "../plan/inert.ts";
import type { ValueId } from "../plan/value.ts";

/** A share that comes from outside: the client or the CompNodes. */
export interface InputInstruction {
  readonly gate: "input";
  readonly out: ValueId;
  readonly name: string;
}

/** A share from outside; the executor does the work. */
export const input: Gate<InputInstruction> = {
  name: "input",
  does: "a share that comes from the client or from CompNodes",
  operands: {},
  ...INERT,
};
