import type { Evaluated } from "./evaluate.ts";

/** A limit on one measure of a candidate, as data. */
export interface Constraint {
  /** The flag that sets it. */
  readonly flag: string;
  readonly limit: number;
  /** Is the limit the most that is allowed, or the least? */
  readonly bound: "most" | "least";
  readonly unit: string;
  readonly measure: (evaluated: Evaluated) => number;
}

export interface Limits {
  readonly maxSeconds?: number;
  readonly maxMb?: number;
  readonly minGap?: number;
  readonly maxCluster?: number;
  readonly minParties?: number;
  /** So many nodes together may conclude no token. */
  readonly hideFrom?: number;
  readonly hideIds?: boolean;
  /** Absent: roles share machines, so there is no limit. */
  readonly machines?: number;
}

/** The limits that a person set. */
export function constraintsOf({
  maxSeconds,
  maxMb,
  minGap,
  maxCluster,
  minParties,
  hideFrom,
  hideIds,
  machines,
}: Limits): Constraint[] {
  const list: Constraint[] = [];
  const add = (
    flag: string,
    limit: number | undefined,
    bound: Constraint["bound"],
    unit: string,
    measure: Constraint["measure"],
  ): void => {
    if (limit !== undefined) list.push({ flag, limit, bound, unit, measure });
  };
  add("--machines", machines, "most", "", (evaluated) => evaluated.machines);
  add("--max-seconds", maxSeconds, "most", " s", ({ seconds }) => seconds);
  add("--max-mb", maxMb, "most", " MB", ({ cost }) => cost.payloadBytes / 1e6);
  add("--min-gap", minGap, "least", "", ({ exposure }) =>
    Math.min(exposure.compNodes.minGap ?? Infinity, exposure.attnNodes.minGap ?? Infinity),
  );
  add("--max-cluster", maxCluster, "most", "", ({ exposure }) =>
    Math.max(exposure.compNodes.maxCluster, exposure.attnNodes.maxCluster),
  );
  add("--min-parties", minParties, "least", "", ({ exposure }) => exposure.colluders ?? 0);
  // Whoever holds a clear row reads on (leak/read-positions.ts); shares hide from all parties but one.
  add("--hide-from", hideFrom, "least", "", ({ exposure: { rowsSeen, colluders } }) =>
    rowsSeen === null ? (colluders ?? 1) - 1 : 0,
  );
  // Limits are numbers; of nodes with ids, none.
  add("--hide-ids", hideIds === true ? 0 : undefined, "most", "", ({ exposure }) => Number(exposure.idsSeen));
  return list;
}

/** Does a candidate keep to a limit? */
export function keeps({ limit, bound, measure }: Constraint, evaluated: Evaluated): boolean {
  return bound === "most" ? measure(evaluated) <= limit : measure(evaluated) >= limit;
}

/** Candidates that keep to all limits. */
export const feasible = (candidates: readonly Evaluated[], constraints: readonly Constraint[]): Evaluated[] =>
  candidates.filter((one) => constraints.every((constraint) => keeps(constraint, one)));

/** Why nothing is feasible: each limit that alone stands in the way, with the nearest value that leaves something. */
export const whyInfeasible = (candidates: readonly Evaluated[], constraints: readonly Constraint[]): string =>
  `plan: expected something feasible, got nothing${whatBinds(candidates, constraints)}`;

/** Which limits keep all of some candidates out, as the end of a sentence: ": --max-mb 2 binds, 4 MB is the nearest feasible". */
export function whatBinds(candidates: readonly Evaluated[], constraints: readonly Constraint[]): string {
  const reasons = constraints.flatMap((constraint) => {
    const others = constraints.filter((other) => other !== constraint);
    const left = feasible(candidates, others);
    return left.length === 0 ? [] : [nearest(constraint, left)];
  });
  if (reasons.length > 0) return `: ${reasons.join("; or ")}`;
  const alone = constraints.map((constraint) => nearest(constraint, candidates));
  return `, whichever limit is dropped; each alone: ${alone.join("; ")}`;
}

function nearest({ flag, limit, bound, unit, measure }: Constraint, left: readonly Evaluated[]): string {
  const values = left.map((one) => measure(one));
  const best = bound === "most" ? Math.min(...values) : Math.max(...values);
  const isFlag = flag === "--hide-ids";
  const said = isFlag ? flag : `${flag} ${limit}`;
  if (bound === "most" ? best <= limit : best >= limit) return `${said} can be kept`;
  if (isFlag) return `${said} binds, without it something is left`;
  // Rounded to the side on which it is feasible.
  const digits = Number.isInteger(best) ? 0 : 3;
  const scale = 10 ** digits;
  const shown = bound === "most" ? Math.ceil(best * scale) / scale : Math.floor(best * scale) / scale;
  return `${said} binds, ${shown}${unit} is the nearest feasible`;
}
