import { evaluateCost } from "../../cost.ts";
import { dealtLayout } from "./dealt-layout.ts";
import { gateOf } from "./gate-of.ts";
import type { GateName, Instruction, Plan } from "./instruction.ts";
import type { ValueId, ValueInfo } from "./value.ts";

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
  /** What goes to and from a client that evaluates gates; null where it evaluates none. */
  readonly client: ClientCost | null;
}

/** Messages between the parties and a client that evaluates gates: the takes of a level are one, its gives one a party. */
export interface ClientCost {
  readonly takenBytes: number;
  readonly takenMessages: number;
  /** Of the parties whose shares somebody waits for. */
  readonly givenBytes: number;
  readonly givenMessages: number;
  /** Of the others, whose shares come from seeds alone. */
  readonly aheadBytes: number;
  readonly aheadMessages: number;
  /** One-way messages in a chain: takes, then gives. */
  readonly rounds: number;
  /** The other parties answer ahead of time. */
  readonly isAhead: boolean;
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
    client: clientCost(plan, parties),
  };
}

/**
 * Do the shares of parties 1 and up come from seeds alone, and go to the client alone? Then they wait for nobody, and answer ahead of time.
 */
export function answersAhead(plan: Plan): boolean {
  let known = ahead.get(plan);
  if (known === undefined) {
    const { instructions } = plan;
    known = instructions.some(({ gate }) => gate === "take") && !instructions.some(({ gate }) => BOUND.has(gate));
    ahead.set(plan, known);
  }
  return known;
}

/** Every message of a plan asks. */
const ahead = new WeakMap<Plan, boolean>();

/** Gates that bind a party to the step that it is in. */
const BOUND: ReadonlySet<GateName> = new Set(["input", "open", "output"]);

function clientCost(plan: Plan, parties: number): ClientCost | null {
  const [takes, gives] = (["take", "give"] as const).map(
    (name) => new Set(plan.instructions.flatMap(({ gate }, index) => (gate === name ? [plan.levels[index]] : []))).size,
  );
  if (takes + gives === 0) return null;
  let [takenBytes, firstBytes, othersBytes] = [0, 0, 0];
  const info = (id: ValueId): ValueInfo => plan.values[id];
  for (const instruction of plan.instructions) {
    const gate = gateOf(instruction);
    const { cost } = gate;
    if (cost.takenBits === undefined && cost.givenBits === undefined) continue;
    const values = gate.quantities(instruction, info);
    const bytes = (expression: string | undefined): number => Math.ceil(evaluateCost(expression ?? "0", values) / 8);
    takenBytes += bytes(cost.takenBits);
    firstBytes += bytes(cost.givenBits);
    othersBytes += (parties - 1) * bytes(cost.othersGivenBits);
  }
  const isAhead = answersAhead(plan);
  return {
    takenBytes,
    takenMessages: takes,
    givenBytes: firstBytes + (isAhead ? 0 : othersBytes),
    givenMessages: gives * (isAhead ? 1 : parties),
    aheadBytes: isAhead ? othersBytes : 0,
    aheadMessages: isAhead ? gives * (parties - 1) : 0,
    rounds: takes + gives,
    isAhead,
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
