import type { PresetName } from "../config/presets.ts";
import type { RunConfig } from "../config/run-config.ts";
import type { Topology } from "./topology.ts";

/**
 * What a topology says of a run, for keys that `given` leaves open: the shards that its nodes were started for, who the SMPC parties are
 * and who deals to them, and the preset that these nodes are for. With `r` or `s` given in full, the shards are theirs.
 */
export function topologyConfig(topology: Topology, given: Readonly<Record<string, unknown>>): Partial<RunConfig> {
  const { alpha, beta, parties = 0, dealer = false } = topology;
  const preset = presetOf(topology, given);
  const implied: Partial<RunConfig> = {
    ...(given.r === undefined && alpha > 0 ? { alpha, ...shardsOf(alpha, beta, given) } : {}),
    ...(parties === 0 ? {} : { parties }),
    ...(preset === null ? {} : { preset }),
    dealer: dealer ? "dealer" : "client",
  };
  return Object.fromEntries(Object.entries(implied).filter(([key]) => given[key] === undefined));
}

/** Hidden where there are SMPC parties alone; hybrid where there are both, on the model that comes with weir, which has its ranges beside it. */
function presetOf({ alpha, parties = 0 }: Topology, given: Readonly<Record<string, unknown>>): PresetName | null {
  if (given.placement !== undefined || given.smpcLayers !== undefined || parties === 0) return null;
  if (alpha === 0) return "hidden";
  return given.model === undefined ? "hybrid" : null;
}

/** m where beta is a multiple of alpha, else beta itself. */
function shardsOf(alpha: number, beta: number, given: Readonly<Record<string, unknown>>): Partial<RunConfig> {
  if (given.s !== undefined || given.m !== undefined || given.beta !== undefined) return {};
  return beta % alpha === 0 ? { m: beta / alpha } : { beta };
}
