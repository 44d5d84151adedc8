/**
 * The plan of an SMPC computation, as data: typed values and the gates between them, in an order in which they can run.
 *
 * A plan is public and the same for every party and the dealer. It is made once from a block program (plan-builder.ts, lowering/) and
 * read in several ways: party, dealer, clear fixed point, cost. What an instruction is follows from the gates that are registered, each
 * of which declares its own (gates/registry.ts); what a value is, from value.ts.
 */
import type { gates } from "../gates/registry.ts";
import type { Gate } from "./gate.ts";
import type { ValueId, ValueInfo } from "./value.ts";

export type GateName = keyof typeof gates;
export type InstructionOf<G extends GateName> = (typeof gates)[G] extends Gate<infer I> ? I : never;
export type Instruction = { readonly [G in GateName]: InstructionOf<G> }[GateName];

/** Is its result there a message later: an opening among the parties, or what the client gets from them? */
export const isWaitedFor = ({ gate }: { readonly gate: GateName }): boolean => gate === "open" || gate === "give";

/** A value's rows that a check names when the value breaks its invariant. */
export interface PlanCheck {
  readonly output: string;
  /** The real number that every element must be near. */
  readonly expected: number;
  readonly tolerance: number;
  /** Which wire or row is out of range where it isn't. */
  readonly site: string;
}

export interface Plan {
  readonly values: readonly ValueInfo[];
  readonly instructions: readonly Instruction[];
  /**
   * level[i]: how many messages instruction i must wait for. Openings of one level travel in one message a pair of parties, at its end;
   * so do the gives of a level, a message a party, and at its beginning its takes, in one.
   */
  readonly levels: readonly number[];
  /** The last level that anything waits for. */
  readonly rounds: number;
  /** Largest unit of what a wire was sized by: for people and for the record. */
  readonly sites: readonly PlanSite[];
  readonly checks: readonly PlanCheck[];
}

/** How wide a wire is and why. */
export interface PlanSite {
  readonly site: string;
  readonly value: ValueId;
  readonly bound: number;
  readonly range: "calibrated" | "certified" | "structural";
}
