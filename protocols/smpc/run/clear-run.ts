import type { ClearWords, Words } from "../../../shares/words.ts";
import { gateOf } from "../plan/gate-of.ts";
import type { ValueId } from "../plan/value.ts";
import type { ClearWalk, PublicFactors } from "../plan/gate.ts";
import type { Plan } from "../plan/instruction.ts";
import { LastUses } from "../plan/last-uses.ts";

/**
 * The clear fixed-point reading of a plan: the integers that the parties' shares add up to, apart from each gate's declared error
 * units (shifts and rounded correlations depend on the masks). `kept` carries rows from step to step.
 * Returns the outputs by name, signed words mod 2^64.
 */
export async function runClear(
  plan: Plan,
  factors: PublicFactors,
  inputs: Readonly<Record<string, Words>>,
  kept: Map<string, ClearWords>,
): Promise<Record<string, Words>> {
  const values = new Map<ValueId, ClearWords>();
  const uses = new LastUses(plan);
  const outputs: Record<string, Words> = {};
  const read = (id: ValueId): ClearWords => {
    const words = values.get(id);
    if (words === undefined) throw new Error(`value ${id}: expected words, got none`);
    return words;
  };
  const walk: ClearWalk = {
    parties: 1,
    factors,
    kept,
    info: (id) => plan.values[id],
    clear: read,
    setClear: (id, words) => values.set(id, words as ClearWords),
  };
  const { instructions, levels, rounds } = plan;
  for (let level = 0; level <= rounds; level++)
    for (const opens of [false, true])
      for (const [index, instruction] of instructions.entries()) {
        if (levels[index] !== level || (instruction.gate === "open") !== opens) continue;
        if (instruction.gate === "input") values.set(instruction.out, inputs[instruction.name] as ClearWords);
        else if (instruction.gate === "output") outputs[instruction.name] = read(instruction.x);
        else await gateOf(instruction).clear(instruction, walk);
        uses.release(index, values);
      }
  return outputs;
}
