import type { WeightSource } from "../weight-source.ts";
import { openGguf, type GgufSource } from "./gguf.ts";
import { openSafetensors } from "./safetensors.ts";

/**
 * Opens the weights that a user names: a .gguf file, else a .safetensors file or a folder with safetensors.
 * @throws ModelFileError naming the file and the fault.
 */
export function openWeights(
  modelPath: string,
): Promise<GgufSource | (WeightSource & { readonly format: "safetensors" })> {
  return modelPath.toLowerCase().endsWith(".gguf") ? openGguf(modelPath) : openSafetensors(modelPath);
}
