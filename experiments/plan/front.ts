import type { Evaluated } from "./evaluate.ts";
import { dominates, type Objective } from "./objectives.ts";

/**
 * Those that no other one dominates, by `order` (ascending), ties by the order in which they come; of several that are equal in every
 * objective the first one stays.
 */
export function paretoFront(
  candidates: readonly Evaluated[],
  objectives: readonly Objective[],
  order: (evaluated: Evaluated) => number,
): Evaluated[] {
  const vectors = new Set<string>();
  const distinct = candidates
    .filter((one) => {
      const vector = objectives.map(({ value }) => String(value(one))).join();
      return !vectors.has(vector) && vectors.add(vector);
    })
    .toSorted((a, b) => order(a) - order(b));
  // What dominates is most often cheap: it comes first, and the front so far is all that need be asked.
  const front: Evaluated[] = [];
  for (const one of distinct) {
    if (front.some((other) => dominates(other, one, objectives))) continue;
    for (let at = front.length - 1; at >= 0; at--) if (dominates(one, front[at], objectives)) front.splice(at, 1);
    front.push(one);
  }
  return front;
}

/**
 * A chain up the front, as indices: from its first (cheapest) point, each next one is the cheapest that shows strictly less than the
 * one before.
 */
export function ladder(front: readonly Evaluated[], exposures: readonly Objective[]): number[] {
  const rungs: number[] = [];
  for (const [at, one] of front.entries())
    if (rungs.length === 0 || dominates(one, front[rungs[rungs.length - 1]], exposures)) rungs.push(at);
  return rungs;
}
