import type { PlannedPoint, PlanRecord } from "../experiments/plan/plan-record.ts";

/** Points that are printed without being asked for. */
const FEW = 40;

/** A plan for a person: the chain of steps, the front, the chosen point. */
export function planTable(record: PlanRecord, { all, out }: { readonly all: boolean; readonly out?: string }): string {
  const { front, steps, chosen } = record;
  const tokens = record.newTokens === 0 ? "all rows out" : `${record.newTokens} new tokens`;
  const roles =
    record.roles === "simulation"
      ? "roles share machines: a simulation, exposures are those of separate roles"
      : "each role on a machine of its own, the client (which deals) apart";
  const lines = [
    `${record.model.name}, ${record.layers} layers, ${record.promptLength} tokens of prompt, ${tokens}; ${roles}`,
    `seconds: ${record.time}`,
    ...record.leftOut.map(({ placement, reason }) => `left out: ${placement} under SMPC: ${reason}`),
    `${record.candidates} candidates, ${record.feasible} within the limits, ${front.length} on the front`,
    "",
    "steps: from the cheapest point, each the cheapest that shows strictly less than the one before, and what it costs more",
    ...table(
      [...HEAD, "+ s", "+ online MB", "+ dealt MB", "+ rounds"],
      steps.map(({ point, moreSeconds, moreOnlineBytes, moreDealtBytes, moreRounds }) => [
        ...cells(front[point - 1]),
        moreSeconds.toFixed(3),
        megabytes(moreOnlineBytes),
        megabytes(moreDealtBytes),
        String(moreRounds),
      ]),
    ),
    "",
    ...(all || front.length <= FEW
      ? ["the front", ...table(HEAD, front.map(cells))]
      : [
          `the front has ${front.length} points (--all prints them, --json too); the cheapest for each choice of layers under SMPC`,
          ...table(HEAD, cheapestByPlacement(front).map(cells)),
        ]),
    "",
    `chosen: point ${chosen.point}${out === undefined ? "; --out FILE writes its config" : `, written to ${out}`}`,
  ];
  return `${lines.join("\n")}\n`;
}

const HEAD = [
  "point",
  "alpha c m",
  "SMPC layers",
  "parties",
  "machines",
  "s",
  "online MB",
  "dealt MB",
  "rounds",
  "ids seen",
  "rows seen",
  "gap comp/attn",
  "cluster comp/attn",
];

function cells(point: PlannedPoint): string[] {
  const { cascade, smpc, rowsSeen, compNodes, attnNodes } = point;
  const gap = (minGap: number | null): string => (minGap === null ? "-" : String(minGap));
  return [
    String(point.point),
    cascade === null ? "-" : `${cascade.alpha} ${cascade.c} ${cascade.m}`,
    smpc?.placement ?? "none",
    smpc === null ? "-" : String(smpc.parties),
    String(point.machines),
    point.seconds.toFixed(3),
    megabytes(point.onlineBytes),
    megabytes(point.dealtBytes),
    String(point.rounds),
    point.idsSeen ? "yes" : "no",
    rowsSeen === null ? "none" : `${rowsSeen.first}-${rowsSeen.last}`,
    cascade === null ? "-" : `${gap(compNodes.minGap)}/${gap(attnNodes.minGap)}`,
    cascade === null ? "-" : `${compNodes.maxCluster}/${attnNodes.maxCluster}`,
  ];
}

/** The front is by seconds, so the first of each is the cheapest. */
function cheapestByPlacement(front: readonly PlannedPoint[]): PlannedPoint[] {
  const seen = new Set<string>();
  return front.filter(({ smpc }) => {
    const placement = smpc?.placement ?? "none";
    return !seen.has(placement) && seen.add(placement);
  });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
  return [head, ...rows].map((row) =>
    `  ${row.map((cell, column) => cell.padEnd(widths[column])).join("  ")}`.trimEnd(),
  );
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(2);
