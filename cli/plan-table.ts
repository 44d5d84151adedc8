import { JOINT_DECODING } from "../experiments/plan/evidence.ts";
import { partyKind } from "../protocols/cascade/party-name.ts";
import type { PlannedPoint, PlanRecord } from "../experiments/plan/plan-record.ts";
import { inOrder } from "../protocols/fusion/record/meanings.ts";
import type { Layout } from "./terminal.ts";
import { textTable, wrap } from "./text-table.ts";

/** Points that are printed without being asked for. */
const FEW = 40;

/** A plan for a person: the chain of steps, the front, the chosen point. */
export function planTable(
  record: PlanRecord,
  { all, out }: { readonly all: boolean; readonly out?: string },
  { width, colours }: Layout,
): string {
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
    "steps: from the cheapest point, each the cheapest that shows strictly less than the one before; + what it costs more",
    ...textTable(
      HEAD,
      steps.map((step) => cells(front[step.point - 1], step)),
      width,
    ),
    "",
    ...(all || front.length <= FEW
      ? [
          "the front",
          ...textTable(
            HEAD,
            front.map((point) => cells(point)),
            width,
          ),
        ]
      : [
          `the front has ${front.length} points (--all prints them, --json too); the cheapest for each choice of layers under SMPC`,
          ...textTable(
            HEAD,
            cheapestByPlacement(front).map((point) => cells(point)),
            width,
          ),
        ]),
    "",
    `chosen: point ${chosen.point}${out === undefined ? "; --out FILE writes its config" : `, written to ${out}`}; who will have seen what, at which layers`,
    ...textTable(["nodes", "as what (layers)"], rolesOf(chosen.parties), width),
    ...wrap(`  ${concludedText(chosen.concluded)}`, width),
    ...front[chosen.point - 1].evidence.says.flatMap((line) => wrap(`  ${line}`, width)),
  ];
  const laidOut = lines.flatMap((line) => (line.startsWith(" ") ? [line] : wrap(line, width).map(colours.bold)));
  return `${laidOut.join("\n")}\n`;
}

/** The leak model's word on the chosen point. */
function concludedText({ parties, evidence, tokens, of, rules, passes }: PlanRecord["chosen"]["concluded"]): string {
  if (evidence === "proved") return "by the leak model: no single node concludes a token (shares alone: proved)";
  if (evidence === "unknown") return "by the leak model: unknown what a single node concludes, which is not safe";
  const price = passes === 0 ? "without a pass" : `for about ${passes.toExponential(1)} passes`;
  return `by the leak model: ${parties.join(", ")} alone concludes ${tokens} of ${of} tokens ${price} (rules: ${rules.join(", ")}; docs/leak-model.md)`;
}

const HEAD = [
  "point",
  "alpha, c, m, merge",
  "SMPC layers, parties",
  "machines",
  "s",
  "online MB",
  "dealt MB",
  "rounds",
  "ids seen",
  "rows seen",
  "gap: comp, attn",
  "cluster: comp, attn",
  "records",
];

function cells(point: PlannedPoint, step?: PlanRecord["steps"][number]): string[] {
  const { cascade, smpc, preset, rowsSeen, compNodes, attnNodes } = point;
  const gap = (minGap: number | null): string => (minGap === null ? "-" : String(minGap));
  const withMore = (value: string, more: string): string => (step === undefined ? value : `${value} +${more}`);
  return [
    String(point.point),
    cascade === null ? "-" : `${cascade.alpha},${cascade.c},${cascade.m} ${cascade.merge}`,
    (smpc === null ? "none" : `${smpc.placement} ${smpc.parties}${smpc.trade === "standard" ? "" : ` ${smpc.trade}`}`) +
      (preset === null ? "" : ` (${preset})`),
    String(point.machines),
    withMore(point.seconds.toFixed(3), step?.moreSeconds.toFixed(3) ?? ""),
    withMore(megabytes(point.onlineBytes), megabytes(step?.moreOnlineBytes ?? 0)),
    withMore(megabytes(point.dealtBytes), megabytes(step?.moreDealtBytes ?? 0)),
    withMore(String(point.rounds), String(step?.moreRounds ?? 0)),
    point.idsSeen ? "yes" : "no",
    rowsSeen === null ? "none" : `${rowsSeen.first}-${rowsSeen.last}`,
    cascade === null ? "-" : `${gap(compNodes.minGap)},${gap(attnNodes.minGap)}`,
    cascade === null ? "-" : `${compNodes.maxCluster},${attnNodes.maxCluster}`,
    point.evidence.says[0],
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
    const seen = inOrder(kinds.keys()).map((kind) => {
      const inside = [...kinds.get(kind)!].filter((layer) => layer >= 0).sort((a, b) => a - b);
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
