import { z } from "zod";
import type { Architecture } from "./architecture.ts";
import { harmless, off, readConfig, size } from "./config-reader.ts";
import { decoderKeys, decoderSpec, layerTypes, windowsOf } from "./decoder-config.ts";
import { familyParameters } from "./llama-family.ts";
import { llama } from "./llama.ts";

/** Keys of Qwen 2 and 3 that say which layers have a window. */
export const qwenWindowKeys = {
  use_sliding_window: z.boolean().nullish(),
  sliding_window: size.nullish(),
  max_window_layers: z.int().min(0).nullish(),
  layer_types: layerTypes,
  use_mrope: off,
} as const;

const schema = z.object({ ...decoderKeys, ...qwenWindowKeys, pretraining_tp: harmless });

/** Qwen2Config's defaults. */
const DEFAULT_WINDOW = 4096;
const DEFAULT_MAX_WINDOW_LAYERS = 28;

/** The window of each layer: layers from max_window_layers on slide, where use_sliding_window is on (off by default). */
export function qwenWindows(
  config: z.output<z.ZodObject<typeof qwenWindowKeys>> & { num_hidden_layers: number },
  origin: string,
): (number | null)[] {
  const window =
    config.use_sliding_window === true
      ? config.sliding_window === undefined
        ? DEFAULT_WINDOW
        : config.sliding_window
      : null;
  const first = config.max_window_layers ?? DEFAULT_MAX_WINDOW_LAYERS;
  const slides = (layer: number): boolean => window !== null && layer >= first;
  return windowsOf(config.num_hidden_layers, window, config.layer_types, slides, origin);
}

/** Qwen 2 and 2.5: llama's block with biases on q, k and v. */
export const qwen2: Architecture = {
  ...llama,
  modelType: "qwen2",
  readSpec(raw, origin) {
    const config = readConfig(schema, raw, origin);
    return decoderSpec("qwen2", config, origin, {
      tiedByDefault: false,
      qkvBias: true,
      outputBias: false,
      mlpBias: false,
      windows: qwenWindows(config, origin),
    });
  },
  parameters: (spec) =>
    familyParameters(spec, { headNorms: false, postNorms: false, gainsMinusOne: false, ggufInterleaved: false }),
};
