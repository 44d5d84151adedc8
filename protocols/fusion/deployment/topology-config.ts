import type { RunConfig } from "../config/run-config.ts";
import type { Topology } from "./topology.ts";

/**
 * What a topology says of a run, for keys that `given` leaves open: the shards that its nodes were started for, who the SMPC parties are
 * and who deals to them. With `r` or `s` given in full, the shards are theirs.
 */
export function topologyConfig(topology: Topology, given: Readonly<Record<string, unknown>>): Partial<RunConfig> {
  const { alpha, beta, parties = 0, dealer = false } = topology;
  const implied: Partial<RunConfig> = {
    ...(given.r === undefined ? { alpha, ...shardsOf(alpha, beta, given) } : {}),
    // The model that comes with weir has its ranges beside it.
    ...(parties === 0 ? {} : { parties, ...(given.model === undefined ? { smpcLayers: "first:1" } : {}) }),
    dealer: dealer ? "dealer" : "client",
  };
  return Object.fromEntries(Object.entries(implied).filter(([key]) => given[key] === undefined));
}

/** m where beta is a multiple of alpha, else beta itself. */
function shardsOf(alpha: number, beta: number, given: Readonly<Record<string, unknown>>): Partial<RunConfig> {
  if (given.s !== undefined || given.m !== undefined || given.beta !== undefined) return {};
  return beta % alpha === 0 ? { m: beta / alpha } : { beta };
}
