import type { Plan } from "./instruction.ts";

const known = new WeakMap<Plan, readonly (readonly number[])[]>();

/** The indices of a plan's instructions by level, ascending; computed once a plan. */
export function byLevel(plan: Plan): readonly (readonly number[])[] {
  let levels = known.get(plan);
  if (levels === undefined) {
    const made: number[][] = Array.from({ length: plan.rounds + 1 }, () => []);
    for (const [index, level] of plan.levels.entries()) made[level].push(index);
    known.set(plan, (levels = made));
  }
  return levels;
}
