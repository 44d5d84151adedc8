import type { Model } from "../../../layers/model.ts";
import { shardingFrom } from "../../cascade/sharding.ts";
import { checkMaskable } from "../../cascade/merge-scales.ts";
import { samplingOf, shardingsOf, type RunConfig } from "../config/run-config.ts";
import { SESSION_VERSION, type SessionDescription } from "./session-description.ts";

/**
 * The public description of a session on `promptLength` secret tokens, as a run config asks for it; `more` overrides single fields.
 * A masked merge needs its scales (mergeScalesOf) among these.
 * Throws Error where prompt and generation together exceed the model's context.
 */
export function describeSession(
  config: RunConfig,
  { spec, name, fingerprint }: Pick<Model, "spec" | "name" | "fingerprint">,
  promptLength: number,
  more: Partial<SessionDescription> = {},
): SessionDescription {
  const description: SessionDescription = {
    version: SESSION_VERSION,
    model: fingerprint,
    ...shardingsOf(config),
    publicPrefix: [],
    promptLength,
    maxNewTokens: config.maxTokens,
    wire: config.wire,
    head: config.head === "compnode" ? "compnode" : "client",
    output: "last",
    sampling: config.head === "compnode" ? samplingOf(config) : null,
    views: config.views !== undefined,
    idleDeadlineMs: config.idleDeadlineMs,
    mergeScales: null,
    smpc: null,
    ...more,
  };
  if (config.merge === "masked") {
    checkMaskable(shardingFrom(description.s).parts);
    if (description.mergeScales === null) throw new Error("merge: expected the scales of a masked merge, got none");
  }
  checkContext({ spec, name }, description.publicPrefix.length + promptLength, description.maxNewTokens);
  return description;
}

/** Throws Error where a prompt of `length` tokens and its generation together exceed the model's context. */
export function checkContext({ spec, name }: Pick<Model, "spec" | "name">, length: number, maxNewTokens: number): void {
  // The last token is never fed back.
  const positions = length + Math.max(0, maxNewTokens - 1);
  if (positions > spec.maxPositions)
    throw new Error(
      `prompt and maxTokens: expected at most ${spec.maxPositions} positions (the context of ${name}), got ${length} + ${maxNewTokens} tokens`,
    );
}
