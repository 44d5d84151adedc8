/**
 * Output: a share that leaves, to the CompNodes or to the client.
 *
 * Functionality: the session holds, under `name`, the `bits` low bits of every word of x, shared afresh; the executor takes them and
 *   adds a share of zero (run/zero-share.ts).
 * Parties: every party (its own share).
 * Leaks: nothing between the parties. Who receives all n shares of a row holds that row, and no more, even with the dealer.
 * Assumes: bits <= ringBits of x.
 * Cost: none inside the plan (the hand-over that sends the share is counted where it happens).
 * Error bound: 0 units.
 * Reference: additive sharing. Proof: none needed (no computation). Test: tests/protocols/smpc/share-gates.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import type { Gate } from "../plan/gate.ts";
import { INERT } from "../plan/inert.ts";
import type { ValueId } from "../plan/value.ts";

/** A share that leaves, `bits` low bits of every word: to the CompNodes or the client. */
export interface OutputInstruction {
  readonly gate: "output";
  readonly x: ValueId;
  readonly name: string;
  readonly bits: number;
}

/** A share that leaves; the executor does the work. */
export const output: Gate<OutputInstruction> = {
  name: "output",
  does: "a share that leaves, to CompNodes or to the client",
  operands: { x: (_, { bits }) => bits },
  ...INERT,
  widths: ({ x, bits }, info) => ({ spareBits: widthOf(info(x)) - bits }),
};
