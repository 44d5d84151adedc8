/** A whole model through a deployment: hidden rows of every layer, logits and greedy tokens, as the golden files hold them. */
import type { Model } from "../../../layers/model.ts";
import { GREEDY } from "../../../layers/sampling.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import type { Tensor } from "../../../layers/tensor.ts";
import type { ShardingRule } from "../../../protocols/cascade/sharding.ts";
import { Client } from "../../../protocols/fusion/client/client.ts";
import type { Deployment } from "../../../protocols/fusion/deployment/deployment.ts";
import { generate } from "../../../protocols/fusion/client/generation.ts";
import type { PartyReport } from "../../../protocols/fusion/record/party-report.ts";
import { SESSION_VERSION, type SessionDescription } from "../../../protocols/fusion/session/session-description.ts";

export interface Sharded {
  /** [N, d] after the last layer, before the final norm */
  readonly last: Tensor;
  readonly finished: Tensor;
  readonly logits: Tensor | null;
  readonly description: SessionDescription;
  readonly reports: readonly PartyReport[];
}

/** The description of a session with these shardings. */
export function describeSession(
  model: Model,
  shardings: { readonly r: ShardingRule; readonly s: ShardingRule },
  promptLength: number,
  more: Partial<SessionDescription> = {},
): SessionDescription {
  return {
    version: SESSION_VERSION,
    model: model.fingerprint,
    ...shardings,
    publicPrefix: [],
    promptLength,
    maxNewTokens: 0,
    wire: "float32",
    head: "client",
    output: "last",
    sampling: null,
    views: false,
    idleDeadlineMs: 60_000,
    mergeScales: null,
    smpc: null,
    ...more,
  };
}

/** All rows of a prompt. */
export async function shardedForward(
  model: Model,
  engine: StageEngine,
  deployment: Deployment,
  description: SessionDescription,
  ids: readonly number[],
): Promise<Sharded> {
  const client = new Client(deployment.client, model, deployment.nodes);
  const session = await client.open({ ...description, output: "all" });
  const result = await session.step(0, ids);
  if (!("rows" in result)) throw new Error("expected rows, got a token");
  const reports = await session.close();
  const { finished, logits } = await engine.head(result.rows);
  return { last: result.rows, finished, logits, description, reports };
}

/** Greedy tokens after a prompt. */
export async function shardedGreedy(
  model: Model,
  engine: StageEngine,
  deployment: Deployment,
  description: SessionDescription,
  ids: readonly number[],
): Promise<{ tokens: number[]; reports: PartyReport[] }> {
  const client = new Client(deployment.client, model, deployment.nodes);
  const session = await client.open(description);
  const tokens: number[] = [];
  for await (const token of generate(session, engine, ids, GREEDY, new Set(model.spec.stopTokens))) tokens.push(token);
  return { tokens, reports: await session.close() };
}
