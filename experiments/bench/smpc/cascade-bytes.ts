import { runConfig } from "../../../protocols/fusion/config/run-config.ts";
import { expectedCost } from "../../../protocols/fusion/record/expected-cost.ts";
import { describeSession } from "../../../protocols/fusion/session/describe-session.ts";
import type { SessionModel } from "../../../protocols/fusion/session/prepare-session.ts";

/** CompNodes, and shards of the attention. */
const SHARDS = 4;

/** Payload bytes of the layers as one Cascade pass of `rows` rows in float32, alpha = beta = 4, without ids and output: by the declared costs. */
export function cascadePayloadBytes(model: SessionModel, rows: number): number {
  const description = describeSession(runConfig.parse({ alpha: SHARDS }), model, rows, {
    maxNewTokens: 0,
    output: "all",
  });
  const costs = expectedCost(description, model, 1);
  return costs["pre-pass"].payloadBytes + costs["attention-pass"].payloadBytes;
}
