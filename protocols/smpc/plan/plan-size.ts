import { dealtLayout } from "./dealt-layout.ts";
import { gateOf } from "./gate-of.ts";
import type { Plan } from "./instruction.ts";
import { LastUses } from "./last-uses.ts";
import { MOST_DEALT_BYTES, MOST_TABLE_BYTES, MOST_VALUE_BYTES } from "./plan-limits.ts";
import { RingBudgetError } from "./ring-budget-error.ts";
import type { InfoOf, ValueId } from "./value.ts";

/** What a plan asks for, in bytes; see plan-limits.ts. */
export interface PlanSize {
  readonly tableBytes: number;
  readonly dealtBytes: number;
  readonly valueBytes: number;
}

/** The size of a plan, from its declarations alone: nothing of it is made. */
export function planSize(plan: Plan): PlanSize {
  const tables = new Map<string, number>();
  const info: InfoOf = (id) => plan.values[id];
  for (const instruction of plan.instructions)
    gateOf(instruction).tables(instruction, info, {
      // These are as large as the model's own parameters.
      matrix: () => {},
      bias: () => {},
      vector: () => {},
      table: ({ key, bytes }) => tables.set(key, bytes),
    });
  return {
    tableBytes: sum(tables.values()),
    dealtBytes: dealtLayout(plan).totalBytes,
    valueBytes: largestHeld(plan),
  };
}

/** Throws RingBudgetError (final) naming `what` where a plan asks for more than it may. */
export function checkPlanSize(plan: Plan, what: string): void {
  const size = planSize(plan);
  for (const [asked, most, of] of [
    [size.tableBytes, MOST_TABLE_BYTES, "public tables"],
    [size.dealtBytes, MOST_DEALT_BYTES, "dealt words"],
    [size.valueBytes, MOST_VALUE_BYTES, "values at a time"],
  ] as const)
    if (!(asked <= most))
      throw new RingBudgetError(
        `${what}: expected at most ${most} bytes of ${of}, got ${asked}; run fewer layers under SMPC (--smpc-layers), or a shorter prompt`,
        { isFinal: true },
      );
}

const BYTES_A_WORD = 8;

/** Most bytes of values that a party holds at a time: a share is a word, a wire two. */
function largestHeld(plan: Plan): number {
  const uses = new LastUses(plan);
  const held = new Map<ValueId, number>();
  let [now, most] = [0, 0];
  for (const index of uses.order) {
    const instruction = plan.instructions[index];
    if ("out" in instruction) {
      const { kind, rows, columns } = plan.values[instruction.out];
      const bytes = rows * columns * BYTES_A_WORD * (kind === "wire" ? 2 : 1);
      held.set(instruction.out, bytes);
      now += bytes;
      most = Math.max(most, now);
    }
    for (const id of uses.dropped(index)) now -= held.get(id) ?? 0;
  }
  return most;
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
