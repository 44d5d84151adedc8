/** What one sharding costs and shows, layer by layer: the same whichever layers are in Cascade. */
import { inputCost, outputCost } from "../../protocols/cascade/edges.ts";
import { Schedule } from "../../protocols/cascade/schedule.ts";
import { evaluateCosts, type CostFigures } from "../../protocols/cost.ts";
import {
  exchangePairs,
  layerCosts,
  pairQuantities,
  stepQuantities,
  type CostedModel,
} from "../../protocols/fusion/record/expected-cost.ts";
import type { Exposure } from "../../protocols/fusion/record/ledger.ts";
import { scheduleOf, type SessionDescription } from "../../protocols/fusion/session/session-description.ts";
import { plannedExposures } from "./planned-ledger.ts";

export type Running = { -readonly [figure in keyof CostFigures]: number };

/** Of a whole session. */
export interface ShardingCosts {
  /** One Cascade layer, by layer. */
  readonly layers: readonly CostFigures[];
  /** Pairs of AttnNodes that share a seed if this layer is in Cascade, by layer; none where nothing is masked. */
  readonly seededPairs: readonly ReadonlySet<string>[];
  /** Ids to CompNodes, where layer 0 is in Cascade. */
  readonly input: CostFigures;
  /** Rows to the client, where the last layer is in Cascade; else its multiply-adds alone. */
  readonly output: CostFigures;
  /** What CompNodes and AttnNodes see of positions, if any layer is in Cascade. */
  readonly compNodes: NodeExposure;
  readonly attnNodes: NodeExposure;
}

/** The worst of some nodes. */
export interface NodeExposure {
  /** Smallest gap between clusters that a node sees, V rows that partial results give away counted; 1 where it sees every position, null where none sees two clusters. */
  readonly minGap: number | null;
  /** Positions in a row that a node sees. */
  readonly maxCluster: number;
}

/** Costs and exposure of a session's sharding; its `smpc` is not looked at. Layers with the same mask are computed once. */
export function shardingCosts(description: SessionDescription, model: CostedModel): ShardingCosts {
  const schedule = scheduleOf({ ...description, smpc: null }, model.spec, model.program);
  const kinds = Array.from({ length: schedule.layers }, (_, layer) => {
    const { causal, window } = schedule.attention(layer);
    return `${causal}/${window}`;
  });
  const byKind = new Map([...new Set(kinds)].map((kind) => [kind, nothing()]));
  const pairsByKind = new Map([...byKind.keys()].map((kind) => [kind, new Set<string>()]));
  const [input, output] = [nothing(), nothing()];
  for (let step = 0; step < schedule.steps; step++) {
    const edge = stepQuantities(schedule, model, description, step);
    addTo(input, evaluateCosts(inputCost, edge));
    addTo(output, evaluateCosts(outputCost, edge));
    for (const [kind, total] of byKind) {
      const layer = kinds.indexOf(kind);
      const quantities = { ...edge, ...pairQuantities(schedule, step, layer) };
      for (const { cost } of layerCosts(schedule)) addTo(total, evaluateCosts(cost, quantities));
      if (schedule.isMasked) for (const pair of exchangePairs(schedule, step, layer)) pairsByKind.get(kind)!.add(pair);
    }
  }
  return {
    layers: kinds.map((kind) => byKind.get(kind)!),
    seededPairs: kinds.map((kind) => pairsByKind.get(kind)!),
    input,
    output,
    ...exposureOf(schedule, description, kinds),
  };
}

/** The ledgers of a session that has one layer of each mask: others show the same positions. */
function exposureOf(
  schedule: Schedule,
  { r, s, promptLength, maxNewTokens, publicPrefix }: SessionDescription,
  kinds: readonly string[],
): Pick<ShardingCosts, "compNodes" | "attnNodes"> {
  const attention = [...new Set(kinds)].map((kind) => schedule.attention(kinds.indexOf(kind)));
  const shape = { r, s, prefixLength: publicPrefix.length, promptLength, maxNewTokens };
  const exposures = plannedExposures(new Schedule({ ...shape, attention, masked: schedule.isMasked }));
  const of = (role: string): NodeExposure =>
    worst(
      [...exposures].filter(([party]) => party.startsWith(`${role}.`)).map(([, exposure]) => exposure),
      schedule.length,
    );
  return { compNodes: of("comp"), attnNodes: of("attn") };
}

function worst(exposures: readonly Exposure[], length: number): NodeExposure {
  const gaps = exposures
    .map(({ minGapWithRevealed, maxClusterWithRevealed }) =>
      maxClusterWithRevealed === length ? 1 : minGapWithRevealed,
    )
    .filter((gap) => gap !== null);
  return {
    minGap: gaps.length === 0 ? null : Math.min(...gaps),
    maxCluster: Math.max(0, ...exposures.map(({ maxClusterWithRevealed }) => maxClusterWithRevealed)),
  };
}

/** A cost of nothing, to add to. */
export const nothing = (): Running => ({ payloadBytes: 0, messages: 0, rounds: 0, multiplyAdds: 0 });

/** Adds a cost to a total. */
export function addTo(total: Running, cost: CostFigures): void {
  for (const figure of ["payloadBytes", "messages", "rounds", "multiplyAdds"] as const) total[figure] += cost[figure];
}
