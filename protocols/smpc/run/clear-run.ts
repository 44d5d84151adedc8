import type { ClearWords, Words } from "../../../shares/words.ts";
import { gateOf } from "../plan/gate-of.ts";
import type { ValueId } from "../plan/value.ts";
import type { ClearWalk, PublicFactors } from "../plan/gate.ts";
import type { Plan } from "../plan/instruction.ts";
import { LastUses } from "../plan/last-uses.ts";
import { noClientValues, type ClientValues } from "./client-values.ts";

/**
 * The clear fixed-point reading of a plan: the integers that the parties' shares add up to, apart from each gate's declared error
 * units (shifts, rounded correlations and what is given to the client depend on the masks), and the client's own numbers. `kept` carries
 * rows from step to step.
 * Returns the outputs by name, signed words mod 2^64, and onto `clientOutputs` go those of the client.
 */
export async function runClear(
  plan: Plan,
  factors: PublicFactors,
  inputs: Readonly<Record<string, Words>>,
  kept: Map<string, ClearWords>,
  client: ClientValues = noClientValues(),
  clientOutputs: Record<string, Float64Array> = {},
): Promise<Record<string, Words>> {
  const values = new Map<ValueId, ClearWords | Float64Array>();
  const uses = new LastUses(plan);
  const outputs: Record<string, Words> = {};
  const read = (id: ValueId): ClearWords => {
    const words = values.get(id);
    if (!(words instanceof BigUint64Array)) throw new Error(`value ${id}: expected words, got ${describe(words)}`);
    return words;
  };
  const real = (id: ValueId): Float64Array => {
    const numbers = values.get(id);
    if (!(numbers instanceof Float64Array))
      throw new Error(`value ${id}: expected the client's numbers, got ${describe(numbers)}`);
    return numbers;
  };
  const walk: ClearWalk = {
    parties: 1,
    factors,
    kept,
    model: client.model,
    keptReals: client.kept,
    info: (id) => plan.values[id],
    clear: read,
    setClear: (id, words) => values.set(id, words as ClearWords),
    real,
    setReal: (id, numbers) => values.set(id, numbers),
  };
  const { instructions, levels, rounds } = plan;
  for (let level = 0; level <= rounds; level++)
    for (const opens of [false, true])
      for (const [index, instruction] of instructions.entries()) {
        if (levels[index] !== level || (instruction.gate === "open") !== opens) continue;
        if (instruction.gate === "input") values.set(instruction.out, inputs[instruction.name] as ClearWords);
        else if (instruction.gate === "output") outputs[instruction.name] = read(instruction.x);
        else if (instruction.gate === "client-input") values.set(instruction.out, client.inputs[instruction.name]);
        else if (instruction.gate === "client-output") clientOutputs[instruction.name] = real(instruction.x);
        else await gateOf(instruction).clear(instruction, walk);
        uses.release(index, values);
      }
  return outputs;
}

const describe = (value: unknown): string => (value === undefined ? "none" : "the other kind");
