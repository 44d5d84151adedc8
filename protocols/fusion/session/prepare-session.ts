import type { Model } from "../../../layers/model.ts";
import { mergeScalesOf } from "../../cascade/merge-scales.ts";
import type { WeightedModel } from "../../smpc/factors/layer-weights.ts";
import type { ModelRanges } from "../../smpc/lowering/ranges.ts";
import { placementText, type RunConfig } from "../config/run-config.ts";
import { describeSession } from "./describe-session.ts";
import type { SessionDescription } from "./session-description.ts";
import { layersOnShares } from "./layer-placement.ts";
import { placementOf, rangesOf } from "./smpc-choice.ts";

/** What a session is to do: what a run config says, and where this session departs from it. */
export interface SessionRequest extends Partial<
  Pick<SessionDescription, "output" | "maxNewTokens" | "views" | "publicPrefix">
> {
  readonly config: RunConfig;
  /** Secret tokens of the prompt: those after `publicPrefix`. */
  readonly promptLength: number;
  /** Ranges of at least the layers under SMPC; null or absent: those of the model, which are observed where there are none. */
  readonly ranges?: ModelRanges | null;
  /** Told what takes long. */
  readonly report?: (doing: string) => void;
}

/** A model that a session runs on, on disk or made up. */
export type SessionModel = WeightedModel & Pick<Model, "name">;

/**
 * The whole public description of a session, with what follows from the model's weights: the scales of a masked merge, the ranges and
 * formats of layers under SMPC. No party is needed for it, so that what can't be run is refused before any starts.
 * A model that is not on disk has no ranges of its own. Throws Error naming what does not fit: the context, the layers, a merge over one shard, values without a bound, a site without a range.
 */
export async function prepareSession(model: Model, request: SessionRequest): Promise<SessionDescription>;
export async function prepareSession(
  model: SessionModel,
  request: SessionRequest & { readonly ranges: ModelRanges },
): Promise<SessionDescription>;
export async function prepareSession(
  model: SessionModel,
  { config, promptLength, ranges = null, report = () => {}, ...more }: SessionRequest,
): Promise<SessionDescription> {
  const mergeScales = config.merge === "masked" ? await mergeScalesOf(model) : null;
  const description = describeSession(config, model, promptLength, { ...more, mergeScales });
  const { layers, evaluators } = layersOnShares(placementText(config), model.spec.layers);
  const head = config.head === "smpc" || config.head === "delegated";
  const last = model.spec.layers - 1;
  if (head && layers.at(-1) !== last)
    throw new Error(
      `head: expected the last layer (${last}) under SMPC or delegated for ${config.head}, got it in Cascade; --placement "${placementText(config)}; last:1=${config.head}" puts it there`,
    );
  if (layers.length === 0) return description;
  const { parties, dealer, smpcPrecision: precision, smpcTrade: trade } = config;
  const headEvaluator = config.head === "delegated" ? ("client" as const) : ("parties" as const);
  const choice = {
    layers: [...layers],
    evaluators: [...evaluators],
    parties,
    dealer,
    precision,
    trade,
    head,
    headEvaluator,
  };
  const clientEnds = description.output === "all" || description.head === "client";
  const firstRow = description.publicPrefix.length > 0 ? "public" : "secret";
  const known = ranges ?? (await rangesOf(model as Model, { ...choice, clientEnds }, report, firstRow));
  report("planning the layers on shares");
  const smpc = await placementOf(description, model, choice, known, report);
  return { ...description, smpc };
}
