import { segmentsOf } from "../../protocols/cascade/segments.ts";
import type { PrecisionName } from "../../protocols/smpc/lowering/precision.ts";
import type { TradeName } from "../../protocols/smpc/lowering/trade.ts";
import { runConfig, type RunConfig } from "../../protocols/fusion/config/run-config.ts";

/**
 * How positions are sharded where layers are in Cascade: alpha CompNodes, clusters of c tokens, each cut into m for the AttnNodes; and
 * how partial results become a row.
 */
export interface CascadeShape {
  readonly alpha: number;
  readonly c: number;
  readonly m: number;
  /** Masked: alpha * m is 2 or more. */
  readonly merge: RunConfig["merge"];
}

/** Which layers run under SMPC, in the words of `smpcLayers` of a run config, between how many parties, and what their plans save. */
export interface SmpcShape {
  readonly placement: string;
  /** Ascending. */
  readonly layers: readonly number[];
  readonly parties: number;
  readonly trade: TradeName;
}

/** One way to run a model. Not both parts are null. */
export interface Candidate {
  /** Null: no layer is in Cascade. */
  readonly cascade: CascadeShape | null;
  /** Null: no layer is under SMPC. */
  readonly smpc: SmpcShape | null;
}

/** Parties beside the client. */
export function rolesOf({ cascade, smpc }: Candidate): {
  readonly compNodes: number;
  readonly attnNodes: number;
  readonly smpcParties: number;
} {
  return {
    compNodes: cascade?.alpha ?? 0,
    attnNodes: cascade === null ? 0 : (cascade.m * cascade.alpha) ** 2,
    smpcParties: smpc?.parties ?? 0,
  };
}

/** Machines where each role has one of its own; the client, which also deals, is not counted. */
export function machinesOf(candidate: Candidate): number {
  const { compNodes, attnNodes, smpcParties } = rolesOf(candidate);
  return compNodes + attnNodes + smpcParties;
}

/** Layers in Cascade, of a model's `layers`, ascending. */
export function cascadeLayers({ smpc }: Candidate, layers: number): number[] {
  return segmentsOf(layers, smpc?.layers ?? [])
    .filter(({ kind }) => kind === "cascade")
    .flatMap(({ from, to }) => Array.from({ length: to - from }, (_, at) => from + at));
}

/** What a run of a candidate is asked for beside it. */
export interface ConfigSetting {
  /** Path; undefined: the model that comes with weir. */
  readonly model: string | undefined;
  /** At least 1. */
  readonly newTokens: number;
  readonly precision: PrecisionName;
}

/** The config with which `weir run` runs a candidate, all that its cost depends on written out. */
export function configOf({ cascade, smpc }: Candidate, { model, newTokens, precision }: ConfigSetting): RunConfig {
  return runConfig.parse({
    ...(model === undefined ? {} : { model }),
    ...(cascade ?? { alpha: 1, c: 1, m: 1 }),
    smpcLayers: smpc?.placement ?? "none",
    ...(smpc === null ? {} : { parties: smpc.parties, smpcPrecision: precision, smpcTrade: smpc.trade }),
    dealer: "client",
    head: "client",
    maxTokens: newTokens,
  });
}
