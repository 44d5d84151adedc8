import { z } from "zod";
import type { Architecture } from "./architecture.ts";
import { readConfig } from "./config-reader.ts";
import { decoderKeys, decoderSpec } from "./decoder-config.ts";
import { familyParameters, projectRotary } from "./llama-family.ts";
import { llama } from "./llama.ts";
import { qwenWindowKeys, qwenWindows } from "./qwen2.ts";

const schema = z.object({ ...decoderKeys, ...qwenWindowKeys, attention_bias: z.boolean().nullish() });

/** Qwen3Config's head_dim, whatever hidden_size is. */
const DEFAULT_HEAD_DIM = 128;

/** Qwen 3 (dense): llama's block with an RMSNorm on every q and k head before rotation. */
export const qwen3: Architecture = {
  ...llama,
  modelType: "qwen3",
  program: { ...llama.program, pre: (algebra, spec, layer, x) => projectRotary(algebra, spec, layer, x, true) },
  readSpec(raw, origin) {
    const config = readConfig(schema, raw, origin);
    const bias = config.attention_bias ?? false;
    return decoderSpec("qwen3", config, origin, {
      headDim: DEFAULT_HEAD_DIM,
      tiedByDefault: false,
      qkvBias: bias,
      outputBias: bias,
      mlpBias: false,
      windows: qwenWindows(config, origin),
    });
  },
  parameters: (spec) =>
    familyParameters(spec, { headNorms: true, postNorms: false, gainsMinusOne: false, ggufInterleaved: false }),
};
