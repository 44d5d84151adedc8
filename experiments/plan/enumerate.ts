import { chosenLayers } from "../../protocols/fusion/session/layer-placement.ts";
import type { TradeName } from "../../protocols/smpc/lowering/trade.ts";
import type { RunConfig } from "../../protocols/fusion/config/run-config.ts";
import type { Candidate, CascadeShape, SmpcShape } from "./candidate.ts";

/** The grid that candidates are taken from. */
export interface Grid {
  /** Layers of the model. */
  readonly layers: number;
  /** N: tokens of the prompt. */
  readonly promptLength: number;
  /** Numbers of SMPC parties. */
  readonly parties: readonly number[];
  /** What plans of SMPC layers save. */
  readonly trades: readonly TradeName[];
  /** Of the layers in Cascade. */
  readonly merge: RunConfig["merge"];
}

const ALPHAS = [1, 2, 3, 4, 5, 6, 7, 8, 12, 16];
const SPLITS = [1, 2, 4];
/** Shards of the AttnNodes: 256 AttnNodes. */
const MOST_BETA = 16;
/** What a run config takes. */
const MOST_CLUSTER = 4096;

/** Every sharding crossed with every placement; without a Cascade layer there is nothing to shard. */
export function candidatesOf(grid: Grid): Candidate[] {
  const shapes = cascadeShapes(grid.promptLength, grid.merge);
  const placements = placementsOf(grid.layers);
  const candidates: Candidate[] = [];
  for (const placement of placements) {
    const layers = chosenLayers(placement, grid.layers);
    const sides: (SmpcShape | null)[] =
      layers.length === 0
        ? [null]
        : grid.parties.flatMap((parties) => grid.trades.map((trade) => ({ placement, layers, parties, trade })));
    for (const smpc of sides)
      for (const cascade of layers.length === grid.layers ? [null] : shapes) candidates.push({ cascade, smpc });
  }
  return candidates;
}

/**
 * Shardings for N tokens: c is a power of two, or what makes one cluster for each CompNode; with alpha = m = 1 there is one, with
 * c = N. A masked merge has none over a single shard.
 */
export function cascadeShapes(promptLength: number, merge: RunConfig["merge"]): CascadeShape[] {
  const leastBeta = merge === "masked" ? 2 : 1;
  return ALPHAS.filter((alpha) => alpha <= promptLength).flatMap((alpha) =>
    SPLITS.filter((m) => m * alpha >= leastBeta && m * alpha <= MOST_BETA).flatMap((m) =>
      clusterSizes(promptLength, alpha, m).map((c) => ({ alpha, c, m, merge })),
    ),
  );
}

function clusterSizes(promptLength: number, alpha: number, m: number): number[] {
  const whole = Math.min(MOST_CLUSTER, Math.ceil(promptLength / alpha));
  if (alpha * m === 1) return [whole];
  const sizes: number[] = [];
  for (let c = 1; c < whole; c *= 2) sizes.push(c);
  return [...sizes, whole];
}

/** none, first:k, last:k, the first and the last k (as a list), all; k up to 8 and then in doubles. */
export function placementsOf(layers: number): string[] {
  const counts = Array.from({ length: layers - 1 }, (_, at) => at + 1).filter(
    (count) => count <= 8 || Number.isInteger(Math.log2(count)),
  );
  const both = counts.filter((count) => 2 * count < layers);
  return [
    "none",
    ...counts.map((count) => `first:${count}`),
    ...counts.map((count) => `last:${count}`),
    ...both.map((count) =>
      [...chosenLayers(`first:${count}`, layers), ...chosenLayers(`last:${count}`, layers)].join(),
    ),
    "all",
  ];
}
