import { evaluateCost } from "../../cost.ts";
import { dealtLayout } from "./dealt-layout.ts";
import { gateOf } from "./gate-of.ts";
import type { GateName, Instruction, Plan } from "./instruction.ts";

/** What the declared expressions of the gates give. */
export interface CostFigures {
  /** Sent by all parties together. */
  readonly onlineBits: number;
  /** Explicit words, to one party; the others expand seeds. */
  readonly dealtBits: number;
  readonly rounds: number;
  /** Of one party. */
  readonly multiplyAdds: number;
}

/** The cost reading of a plan: expressions evaluated, and what they come to on a wire that sends whole bytes. */
export interface PlanCost {
  readonly parties: number;
  /** Only gates that the plan has. `rounds` of open is the plan's: openings of one level share a round. */
  readonly byGate: { readonly [G in GateName]?: CostFigures };
  readonly total: CostFigures;
  /** Payload of all openings, all parties together: each opened value is packed on its own into whole bytes. */
  readonly onlineBytes: number;
  /** The same by round. */
  readonly onlineBytesByRound: readonly number[];
  /** Payloads sent: one a round and ordered pair of parties. */
  readonly messages: number;
  /** Explicit words of one batch, each dealt array in whole bytes. */
  readonly dealtBytes: number;
}

const NOTHING: CostFigures = { onlineBits: 0, dealtBits: 0, rounds: 0, multiplyAdds: 0 };

/** What a plan costs with `parties` parties, from the declared costs of its gates. Throws RangeError for fewer than two parties. */
export function planCost(plan: Plan, parties: number): PlanCost {
  if (!Number.isInteger(parties) || parties < 2) throw new RangeError(`parties: expected at least 2, got ${parties}`);
  const byGate: Partial<Record<GateName, CostFigures>> = {};
  const byLevel = new Map<number, { openedRounds: number; bytes: number }>();
  for (const [index, instruction] of plan.instructions.entries()) {
    const figures = instructionCost(plan, instruction, parties);
    const rounds = figures.rounds > 0 ? roundOf(byLevel, plan.levels[index], figures.rounds) : 0;
    byGate[instruction.gate] = sum(byGate[instruction.gate] ?? NOTHING, { ...figures, rounds });
    if (instruction.gate !== "open") continue;
    const value = plan.values[instruction.out];
    if (value.kind !== "wire") throw new Error(`open: expected a wire to open to, got a share`);
    const bytes = Math.ceil((value.rows * value.columns * value.bits) / 8);
    byLevel.get(plan.levels[index])!.bytes += parties * (parties - 1) * bytes;
  }
  const onlineBytesByRound = [...byLevel].sort(([a], [b]) => a - b).map(([, { bytes }]) => bytes);
  const total = Object.values(byGate).reduce(sum, NOTHING);
  return {
    parties,
    byGate,
    total,
    onlineBytes: onlineBytesByRound.reduce((a, b) => a + b, 0),
    onlineBytesByRound,
    messages: parties * (parties - 1) * onlineBytesByRound.length,
    dealtBytes: dealtLayout(plan).totalBytes,
  };
}

function instructionCost(plan: Plan, instruction: Instruction, n: number): CostFigures {
  const gate = gateOf(instruction);
  const quantities = { ...gate.quantities(instruction, (id) => plan.values[id]), n };
  const { onlineBits, dealtBits, rounds, multiplyAdds } = gate.cost;
  return {
    onlineBits: evaluateCost(onlineBits, quantities),
    dealtBits: evaluateCost(dealtBits, quantities),
    rounds: evaluateCost(rounds, quantities),
    multiplyAdds: evaluateCost(multiplyAdds, quantities),
  };
}

/** The rounds that an instruction adds: those of its level count once. */
function roundOf(byLevel: Map<number, { openedRounds: number; bytes: number }>, level: number, rounds: number): number {
  const known = byLevel.get(level) ?? { openedRounds: 0, bytes: 0 };
  const added = Math.max(0, rounds - known.openedRounds);
  byLevel.set(level, { ...known, openedRounds: known.openedRounds + added });
  return added;
}

const sum = (a: CostFigures, b: CostFigures): CostFigures => ({
  onlineBits: a.onlineBits + b.onlineBits,
  dealtBits: a.dealtBits + b.dealtBits,
  rounds: a.rounds + b.rounds,
  multiplyAdds: a.multiplyAdds + b.multiplyAdds,
});
