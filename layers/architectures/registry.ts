import type { Architecture } from "./architecture.ts";
import { bert } from "./bert.ts";
import { ModelConfigError } from "./config-reader.ts";
import { gemma2 } from "./gemma2.ts";
import { gpt2 } from "./gpt2.ts";
import { llama } from "./llama.ts";
import { mistral } from "./mistral.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";

/** Every architecture that weir runs, by config.json's model_type. A new one is a file beside this one and a line here. */
export const ARCHITECTURES: ReadonlyMap<string, Architecture> = new Map(
  [bert, gemma2, gpt2, llama, mistral, qwen2, qwen3].map((architecture) => [architecture.modelType, architecture]),
);

/** The architecture of a model_type. Throws ModelConfigError that lists the supported ones; `origin` names the file. */
export function architectureOf(modelType: unknown, origin: string): Architecture {
  const found = typeof modelType === "string" ? ARCHITECTURES.get(modelType) : undefined;
  if (found !== undefined) return found;
  const supported = [...ARCHITECTURES.keys()].join(", ");
  throw new ModelConfigError(
    origin,
    `key model_type: expected one of ${supported}, got ${JSON.stringify(modelType) ?? "nothing"}`,
  );
}
