import { JOINT_DECODING } from "../experiments/plan/evidence.ts";
import { partyKind } from "../protocols/cascade/party-name.ts";
import type { PlannedPoint, PlanRecord } from "../experiments/plan/plan-record.ts";
import { textTable } from "./text-table.ts";

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
    `every point with a layer in Cascade: ${JOINT_DECODING}`,
    ...(record.whyClearRows === null ? [] : [record.whyClearRows]),
    "",
    "steps: from the cheapest point, each the cheapest that shows strictly less than the one before, and what it costs more",
    ...textTable(
      [...HEAD, "+ s", "+ online MB", "+ dealt MB", "+ rounds", RECORDS],
      steps.map(({ point, moreSeconds, moreOnlineBytes, moreDealtBytes, moreRounds }) => [
        ...cells(front[point - 1]),
        moreSeconds.toFixed(3),
        megabytes(moreOnlineBytes),
        megabytes(moreDealtBytes),
        String(moreRounds),
        worst(front[point - 1]),
      ]),
    ),
    "",
    ...(all || front.length <= FEW
      ? ["the front", ...textTable([...HEAD, RECORDS], front.map(withRecords))]
      : [
          `the front has ${front.length} points (--all prints them, --json too); the cheapest for each choice of layers under SMPC`,
          ...textTable([...HEAD, RECORDS], cheapestByPlacement(front).map(withRecords)),
        ]),
    "",
    `chosen: point ${chosen.point}${out === undefined ? "; --out FILE writes its config" : `, written to ${out}`}; who will have seen what, at which layers`,
    ...textTable(["nodes", "as what (layers)"], rolesOf(chosen.parties)),
    ...front[chosen.point - 1].evidence.says.map((line) => `  ${line}`),
  ];
  return `${lines.join("\n")}\n`;
}

const HEAD = [
  "point",
  "alpha c m merge",
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

const RECORDS = "records";
const worst = ({ evidence }: PlannedPoint): string => evidence.says[0];
const withRecords = (point: PlannedPoint): string[] => [...cells(point), worst(point)];

function cells(point: PlannedPoint): string[] {
  const { cascade, smpc, rowsSeen, compNodes, attnNodes } = point;
  const gap = (minGap: number | null): string => (minGap === null ? "-" : String(minGap));
  return [
    String(point.point),
    cascade === null ? "-" : `${cascade.alpha} ${cascade.c} ${cascade.m} ${cascade.merge}`,
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

/** Nodes of one role together: as what any of them sees positions, and at which layers; what is outside the layers stands alone. */
function rolesOf(parties: PlanRecord["chosen"]["parties"]): string[][] {
  const roles = new Map<string, string[]>();
  for (const party of Object.keys(parties)) {
    const role = partyKind(party);
    roles.set(role, [...(roles.get(role) ?? []), party]);
  }
  return [...roles.values()].map((names) => {
    const kinds = new Map<string, Set<number>>();
    for (const name of names)
      for (const [kind, { layers }] of Object.entries(parties[name].kinds))
        kinds.set(kind, new Set([...(kinds.get(kind) ?? []), ...layers]));
    const seen = [...kinds].map(([kind, layers]) => {
      const inside = [...layers].filter((layer) => layer >= 0).sort((a, b) => a - b);
      return inside.length === 0 ? kind : `${kind} (${runs(inside)})`;
    });
    return [names.length === 1 ? names[0] : `${names[0]} to ${names.at(-1)}`, seen.join(", ")];
  });
}

/** [0, 1, 2, 5] -> "0-2 5". */
function runs(layers: readonly number[]): string {
  const found: [from: number, to: number][] = [];
  for (const layer of layers) {
    const last = found.at(-1);
    if (last !== undefined && last[1] === layer - 1) last[1] = layer;
    else found.push([layer, layer]);
  }
  return found.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(" ");
}

/** The front is by seconds, so the first of each is the cheapest. */
function cheapestByPlacement(front: readonly PlannedPoint[]): PlannedPoint[] {
  const seen = new Set<string>();
  return front.filter(({ smpc }) => {
    const placement = smpc?.placement ?? "none";
    return !seen.has(placement) && seen.add(placement);
  });
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(2);
