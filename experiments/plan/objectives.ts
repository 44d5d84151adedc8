import type { Evaluated } from "./evaluate.ts";

/** One side of the trade: a number of which less is better. Later ones (a measured leak) join the list. */
export interface Objective {
  readonly name: string;
  readonly side: "cost" | "exposure";
  /** Less is better; -Infinity and Infinity are allowed. */
  readonly value: (evaluated: Evaluated) => number;
}

const gapOf = (minGap: number | null): number => minGap ?? Infinity;

/** What is paid. */
export const COSTS: readonly Objective[] = [
  { name: "onlineBytes", side: "cost", value: ({ cost }) => cost.onlineBytes },
  { name: "dealtBytes", side: "cost", value: ({ cost }) => cost.dealtBytes },
  { name: "rounds", side: "cost", value: ({ cost }) => cost.rounds },
  { name: "seconds", side: "cost", value: ({ seconds }) => seconds },
];

/**
 * What is shown: a view is no worse than another if it has ids only where that has them, rows of no layer that it lacks (layers seen
 * are one run, so its ends are compared), no smaller gap and no longer cluster, of CompNodes and of AttnNodes apart. Views that differ
 * both ways are not compared.
 */
export const EXPOSURES: readonly Objective[] = [
  { name: "idsSeen", side: "exposure", value: ({ exposure }) => Number(exposure.idsSeen) },
  { name: "firstLayer", side: "exposure", value: ({ exposure }) => -(exposure.rowsSeen?.first ?? Infinity) },
  { name: "lastLayer", side: "exposure", value: ({ exposure }) => exposure.rowsSeen?.last ?? -Infinity },
  { name: "compGap", side: "exposure", value: ({ exposure }) => -gapOf(exposure.compNodes.minGap) },
  { name: "compCluster", side: "exposure", value: ({ exposure }) => exposure.compNodes.maxCluster },
  { name: "attnGap", side: "exposure", value: ({ exposure }) => -gapOf(exposure.attnNodes.minGap) },
  { name: "attnCluster", side: "exposure", value: ({ exposure }) => exposure.attnNodes.maxCluster },
];

/** Is `a` at least as good in all objectives and better in one? */
export function dominates(a: Evaluated, b: Evaluated, objectives: readonly Objective[]): boolean {
  let better = false;
  for (const { value } of objectives) {
    const [of, than] = [value(a), value(b)];
    if (of > than) return false;
    better ||= of < than;
  }
  return better;
}
