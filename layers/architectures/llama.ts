import { z } from "zod";
import type { Architecture } from "./architecture.ts";
import { readConfig, harmless } from "./config-reader.ts";
import { decoderKeys, decoderSpec } from "./decoder-config.ts";
import {
  attentionOf,
  embedTokens,
  familyParameters,
  finalRmsNorm,
  preNormPost,
  projectRotary,
  unembedRows,
} from "./llama-family.ts";

const schema = z.object({
  ...decoderKeys,
  attention_bias: z.boolean().nullish(),
  mlp_bias: z.boolean().nullish(),
  /** Splits products over devices, the result is the same; transformers has dropped it. */
  pretraining_tp: harmless,
  /** Marks SmolLM2's checkpoints; transformers doesn't read it. */
  is_llama_config: harmless,
});

/** Llama 1 to 3 and what is built like them (SmolLM2, TinyLlama): RMSNorm, rotary positions, grouped queries, SwiGLU. */
export const llama: Architecture = {
  modelType: "llama",
  hfPrefix: "model.",
  program: {
    embed: (algebra) => embedTokens(algebra),
    pre: (algebra, spec, layer, x) => projectRotary(algebra, spec, layer, x, false),
    post: preNormPost,
    finish: finalRmsNorm,
    logits: unembedRows,
    attention: attentionOf,
  },
  readSpec(raw, origin) {
    const config = readConfig(schema, raw, origin);
    const bias = config.attention_bias ?? false;
    return decoderSpec("llama", config, origin, {
      tiedByDefault: false,
      qkvBias: bias,
      outputBias: bias,
      mlpBias: config.mlp_bias ?? false,
    });
  },
  parameters: (spec) =>
    familyParameters(spec, { headNorms: false, postNorms: false, gainsMinusOne: false, ggufInterleaved: true }),
};
