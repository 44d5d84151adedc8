import { z } from "zod";
import type { Architecture } from "./architecture.ts";
import { activation, harmless, off, positive, readConfig, size } from "./config-reader.ts";
import { decoderKeys, decoderSpec, layerTypes, windowsOf } from "./decoder-config.ts";
import {
  attentionOf,
  embedTokens,
  familyParameters,
  finalRmsNorm,
  gatedMlp,
  projectOutput,
  projectRotary,
  unembedRows,
} from "./llama-family.ts";

/** Gemma2Config's defaults. */
const DEFAULTS = { window: 4096, headDim: 256, queryScalar: 256, attentionCap: 50, logitCap: 30 } as const;

const schema = z.object({
  ...decoderKeys,
  hidden_activation: activation.nullish(),
  /** Gemma's first configs carry it beside hidden_activation; transformers reads only the latter. */
  hidden_act: harmless,
  attention_bias: z.boolean().nullish(),
  query_pre_attn_scalar: positive.nullish(),
  attn_logit_softcapping: positive.nullish(),
  final_logit_softcapping: positive.nullish(),
  sliding_window: size.nullish(),
  sliding_window_size: size.nullish(),
  layer_types: layerTypes,
  use_bidirectional_attention: off,
  cache_implementation: harmless,
});

/** Gemma 2: scaled embedding, norms before and after attention and MLP, soft caps, a window on every other layer, GeGLU. */
export const gemma2: Architecture = {
  modelType: "gemma2",
  hfPrefix: "model.",
  program: {
    // transformers rounds the factor to the checkpoint's type, which only matters below float32.
    embed: (a, spec) => a.scale(embedTokens(a), Math.sqrt(spec.width)),
    pre: (a, spec, layer, x) => projectRotary(a, spec, layer, x, false),
    post(a, spec, layer, x, attended) {
      const norm = (name: string, y: typeof x): typeof x =>
        a.rmsNorm(y, `layers.${layer}.${name}.weight`, spec.normEpsilon, spec.width);
      const middle = a.add(x, norm("postAttentionNorm", projectOutput(a, spec, layer, attended))); // [rows, d]
      return a.add(middle, norm("postMlpNorm", gatedMlp(a, spec, layer, norm("norm2", middle)))); // [rows, d]
    },
    finish: finalRmsNorm,
    logits(a, spec, x) {
      const logits = unembedRows(a, spec, x); // [rows, vocabulary]
      return spec.logitSoftCap === null ? logits : a.softCap(logits, spec.logitSoftCap);
    },
    attention: attentionOf,
  },
  readSpec(raw, origin) {
    const { hidden_act: _unread, ...config } = readConfig(schema, raw, origin);
    const window = config.sliding_window ?? config.sliding_window_size;
    const bias = config.attention_bias ?? false;
    return decoderSpec("gemma2", { ...config, hidden_act: config.hidden_activation ?? "geluTanh" }, origin, {
      headDim: DEFAULTS.headDim,
      tiedByDefault: true,
      qkvBias: bias,
      outputBias: bias,
      mlpBias: false,
      attentionScale: (config.query_pre_attn_scalar ?? DEFAULTS.queryScalar) ** -0.5,
      // An explicit null turns a cap off; an absent key is Gemma2Config's default.
      attentionSoftCap:
        config.attn_logit_softcapping === undefined ? DEFAULTS.attentionCap : config.attn_logit_softcapping,
      logitSoftCap: config.final_logit_softcapping === undefined ? DEFAULTS.logitCap : config.final_logit_softcapping,
      windows: windowsOf(
        config.num_hidden_layers,
        window ?? DEFAULTS.window,
        config.layer_types,
        (layer) => layer % 2 === 0,
        origin,
      ),
    });
  },
  parameters: (spec) =>
    familyParameters(spec, { headNorms: false, postNorms: true, gainsMinusOne: true, ggufInterleaved: false }),
};
