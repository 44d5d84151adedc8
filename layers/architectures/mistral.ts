import { z } from "zod";
import type { Architecture } from "./architecture.ts";
import { demand, readConfig, size } from "./config-reader.ts";
import { decoderKeys, decoderSpec, layerTypes, windowsOf } from "./decoder-config.ts";
import { llama } from "./llama.ts";

/** MistralConfig's window where config.json doesn't say; an explicit null is no window. */
const DEFAULT_WINDOW = 4096;

const schema = z.object({ ...decoderKeys, sliding_window: size.nullish(), layer_types: layerTypes });

/** Mistral: llama's block with a sliding window on every layer. */
export const mistral: Architecture = {
  ...llama,
  modelType: "mistral",
  readSpec(raw, origin) {
    const config = readConfig(schema, raw, origin);
    demand(
      config.num_key_value_heads !== undefined,
      origin,
      "num_key_value_heads",
      "the number of key/value heads",
      undefined,
    );
    const window = config.sliding_window === undefined ? DEFAULT_WINDOW : config.sliding_window;
    return decoderSpec("mistral", config, origin, {
      tiedByDefault: false,
      qkvBias: false,
      outputBias: false,
      mlpBias: false,
      windows: windowsOf(config.num_hidden_layers, window, config.layer_types, () => window !== null, origin),
    });
  },
};
