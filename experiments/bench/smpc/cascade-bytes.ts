import { shardingsOf, runConfig } from "../../../protocols/fusion/config/run-config.ts";
import { expectedCost } from "../../../protocols/fusion/record/expected-cost.ts";
import { SESSION_VERSION } from "../../../protocols/fusion/session/session-description.ts";
import type { OpenedLayers } from "./workload.ts";

/** CompNodes, and shards of the attention. */
const SHARDS = 4;

/** Payload bytes of the same layers as one Cascade pass of `rows` rows in float32, alpha = beta = 4, without ids and output: by the declared costs. */
export function cascadePayloadBytes({ spec, program, from, to }: OpenedLayers, rows: number): number {
  const only = { ...spec, layers: to - from, windows: spec.windows.slice(from, to) };
  const costs = expectedCost(
    {
      version: SESSION_VERSION,
      model: "layers alone",
      ...shardingsOf(runConfig.parse({ alpha: SHARDS })),
      promptLength: rows,
      maxNewTokens: 0,
      wire: "float32",
      head: "client",
      output: "all",
      sampling: null,
      views: false,
      idleDeadlineMs: 1,
      mergeScales: null,
      smpc: null,
    },
    { spec: only, program, parameters: new Map() },
    1,
  );
  return costs["pre-pass"].payloadBytes + costs["attention-pass"].payloadBytes;
}
