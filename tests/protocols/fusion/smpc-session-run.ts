/** Sessions with layers under SMPC, in one process, beside the plain model. */
import { allByParties, type Evaluators } from "../../../protocols/smpc/lowering/evaluators.ts";
import assert from "node:assert/strict";
import type { Model } from "../../../layers/model.ts";
import { plainForward } from "../../../layers/reference/plain-forward.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { shardingFrom, type ShardingRule } from "../../../protocols/cascade/sharding.ts";
import { Client, type ClientSession } from "../../../protocols/fusion/client/client.ts";
import type { Deployment } from "../../../protocols/fusion/deployment/deployment.ts";
import { generate } from "../../../protocols/fusion/client/generation.ts";
import {
  inProcessDeployment,
  type InProcessOptions,
} from "../../../protocols/fusion/deployment/in-process-deployment.ts";
import type { PartyReport } from "../../../protocols/fusion/record/party-report.ts";
import { placementOf, rangesOf, type SmpcChoice } from "../../../protocols/fusion/session/smpc-choice.ts";
import type { SessionDescription } from "../../../protocols/fusion/session/session-description.ts";
import { GREEDY } from "../../../layers/sampling.ts";
import { makeRanges } from "../../../protocols/smpc/calibration/load-ranges.ts";
import type { SmpcPlacement } from "../../../protocols/smpc/plan/placement.ts";
import type { ModelRanges } from "../../../protocols/smpc/lowering/ranges.ts";
import { maxError } from "../../layers/golden-models.ts";
import { randomModel } from "../cascade/random-model.ts";
import { describeSession } from "../cascade/whole-model.ts";

export interface HybridSetting {
  readonly model: Model;
  readonly engine: StageEngine;
  readonly r: ShardingRule;
  readonly s: ShardingRule;
  readonly layers: readonly number[];
  /** Of each of these layers; absent: the parties evaluate everything. */
  readonly evaluators?: readonly Evaluators[];
  readonly headEvaluator?: SmpcChoice["headEvaluator"];
  readonly parties?: number;
  readonly dealer?: "client" | "dealer";
  readonly head?: boolean;
  readonly precision?: SmpcChoice["precision"];
  readonly trade?: SmpcChoice["trade"];
  readonly ranges?: ModelRanges;
  readonly more?: Partial<SessionDescription>;
  readonly options?: InProcessOptions;
  /** What the client says of the placement in place of the truth. */
  readonly change?: (smpc: SmpcPlacement) => SmpcPlacement;
}

/** A causal model of four layers whose rows lie within 1.1; `sharpness` multiplies its logits of attention. */
export const fourLayers = (sharpness = 1): Model =>
  randomModel({
    seed: 5,
    layers: 4,
    kvHeads: 1,
    group: 2,
    headDim: 4,
    sharpness,
  });

/** Bound on the rows of that model: the fixed point of its layers is off by 4e-3. */
export const SMPC_BOUND = 2e-2;

/**
 * The largest error of the last row of every step: all but the last `steps - 1` ids at once, then those one by one. Of `ids` the session's
 * public prefix comes first and isn't sent.
 */
export async function walkError(
  session: ClientSession,
  model: Model,
  engine: StageEngine,
  ids: readonly number[],
  steps: number,
): Promise<number> {
  const { length: prefix } = session.description.publicPrefix;
  let most = 0;
  for (let step = 0; step < steps; step++) {
    const length = ids.length - steps + 1 + step;
    const result = await session.step(step, step === 0 ? ids.slice(prefix, length) : [ids[length - 1]]);
    assert.ok("rows" in result);
    const { hidden } = await plainForward(model, ids.slice(0, length));
    const { finished } = await engine.head(result.rows);
    most = Math.max(most, maxError(finished.data, hidden.at(-1)!.data.slice(-model.spec.width)));
  }
  return most;
}

/** Ranges of all layers and the head, observed on random tokens. */
export const rangesOfAll = (model: Model): Promise<ModelRanges> =>
  makeRanges(model, null, { from: 0, to: model.spec.layers, head: true });

/** Opens a session with these layers under SMPC, gives it to `use`, and closes everything. */
export async function withHybrid<T>(
  setting: HybridSetting,
  promptLength: number,
  use: (session: ClientSession, deployment: Deployment) => Promise<T>,
): Promise<T> {
  const {
    model,
    engine,
    r,
    s,
    layers,
    evaluators = allByParties(layers.length).evaluators,
    headEvaluator = "parties",
    parties = 2,
    dealer = "client",
    head = false,
    precision = "fine",
    trade = "standard",
    more = {},
    options,
  } = setting;
  const plain = describeSession(model, { r, s }, promptLength, { wire: engine.word, ...more });
  const choice: SmpcChoice = {
    layers: [...layers],
    evaluators: [...evaluators],
    headEvaluator,
    parties,
    dealer,
    head,
    precision,
    trade,
  };
  const ranges = setting.ranges ?? (await rangesOf(model, choice, () => {}));
  const smpc = layers.length === 0 ? null : await placementOf(plain, model, choice, ranges);
  const shape = {
    alpha: shardingFrom(r).parts,
    beta: shardingFrom(s).parts,
    parties,
    dealer: dealer === "dealer",
    attnLinks: plain.mergeScales !== null,
  };
  const deployment = await inProcessDeployment(model, engine, shape, options);
  try {
    const client = new Client(deployment.client, model, deployment.nodes, { embedding: engine });
    const said = smpc === null || setting.change === undefined ? smpc : setting.change(smpc);
    return await use(await client.open({ ...plain, smpc: said }), deployment);
  } finally {
    await deployment.close();
  }
}

/** Greedy tokens after a prompt. */
export async function hybridGreedy(
  setting: HybridSetting,
  ids: readonly number[],
  steps: number,
): Promise<{ tokens: number[]; reports: readonly PartyReport[]; session: ClientSession }> {
  const more = { maxNewTokens: steps, ...setting.more };
  return withHybrid({ ...setting, more }, ids.length, async (session) => {
    const tokens: number[] = [];
    for await (const token of generate(session, setting.engine, ids, GREEDY, new Set())) tokens.push(token);
    return { tokens, reports: await session.close(), session };
  });
}
