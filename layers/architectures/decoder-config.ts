import { z } from "zod";
import type { ModelSpec } from "../model-spec.ts";
import { activation, commonKeys, demand, harmless, off, positive, size, stopTokensOf } from "./config-reader.ts";
import { readRope, ropeKeys } from "./rope.ts";

/** The keys that every rotary decoder's config.json has; each architecture adds its own. */
export const decoderKeys = {
  ...commonKeys,
  ...ropeKeys,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  vocab_size: size,
  max_position_embeddings: size,
  rms_norm_eps: positive.default(1e-6),
  hidden_act: activation.default("silu"),
  attention_dropout: harmless,
  rope_interleaved: off,
  quantization_config: off,
} as const;

const decoderSchema = z.object(decoderKeys);
type DecoderConfig = z.output<typeof decoderSchema>;

/** What an architecture decides itself. */
export interface DecoderChoices {
  readonly headDim?: number;
  readonly tiedByDefault: boolean;
  readonly qkvBias: boolean;
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  readonly windows?: readonly (number | null)[];
  readonly attentionScale?: number;
  readonly attentionSoftCap?: number | null;
  readonly logitSoftCap?: number | null;
}

/** A rotary decoder's spec from its checked config. Throws ModelConfigError where sizes don't fit each other. */
export function decoderSpec(
  modelType: string,
  config: DecoderConfig,
  origin: string,
  choices: DecoderChoices,
): ModelSpec {
  const heads = config.num_attention_heads;
  const kvHeads = config.num_key_value_heads ?? heads;
  demand(heads % kvHeads === 0, origin, "num_key_value_heads", `a divisor of num_attention_heads ${heads}`, kvHeads);
  const headDim = config.head_dim ?? choices.headDim ?? config.hidden_size / heads;
  demand(
    Number.isInteger(headDim),
    origin,
    "num_attention_heads",
    `a divisor of hidden_size ${config.hidden_size}, or head_dim`,
    heads,
  );
  return {
    modelType,
    layers: config.num_hidden_layers,
    width: config.hidden_size,
    heads,
    kvHeads,
    headDim,
    mlpWidth: config.intermediate_size,
    vocabulary: config.vocab_size,
    maxPositions: config.max_position_embeddings,
    normEpsilon: config.rms_norm_eps,
    activation: config.hidden_act,
    rope: readRope(config, headDim, origin),
    attentionScale: choices.attentionScale ?? 1 / Math.sqrt(headDim),
    attentionSoftCap: choices.attentionSoftCap ?? null,
    logitSoftCap: choices.logitSoftCap ?? null,
    causal: true,
    windows: choices.windows ?? Array.from({ length: config.num_hidden_layers }, () => null),
    tiedHead: config.tie_word_embeddings ?? choices.tiedByDefault,
    qkvBias: choices.qkvBias,
    outputBias: choices.outputBias,
    mlpBias: choices.mlpBias,
    stopTokens: stopTokensOf(config.eos_token_id),
  };
}

/** Keys that say which layers see a sliding window only. */
export const layerTypes = z.array(z.enum(["full_attention", "sliding_attention"])).nullish();

/**
 * The window of each layer. Where `types` is absent, `slides(layer)` decides.
 * Throws ModelConfigError when there are not as many types as layers, or a sliding layer has no window.
 */
export function windowsOf(
  layers: number,
  window: number | null | undefined,
  types: readonly string[] | null | undefined,
  slides: (layer: number) => boolean,
  origin: string,
): (number | null)[] {
  if (types !== null && types !== undefined) {
    demand(types.length === layers, origin, "layer_types", `${layers} entries (num_hidden_layers)`, types.length);
  }
  return Array.from({ length: layers }, (_, layer) => {
    const sliding = types?.[layer] === undefined ? slides(layer) : types[layer] === "sliding_attention";
    if (!sliding) return null;
    demand(
      window !== null && window !== undefined,
      origin,
      "sliding_window",
      "a window, as a layer has sliding attention",
      window,
    );
    return window;
  });
}
