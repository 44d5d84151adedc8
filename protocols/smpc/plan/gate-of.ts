import { gates } from "../gates/registry.ts";
import type { Gate } from "./gate.ts";
import type { GateName, InstructionOf } from "./instruction.ts";

const byName: { readonly [G in GateName]: Gate<InstructionOf<G>> } = gates;

/** The gate of an instruction. */
export function gateOf<G extends GateName>(
  instruction: InstructionOf<G> & { readonly gate: G },
): Gate<InstructionOf<G>> {
  return byName[instruction.gate];
}
