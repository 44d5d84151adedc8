import { stat } from "node:fs/promises";
import path from "node:path";
import { architectureOf } from "./architectures/registry.ts";
import { ropeNotes } from "./architectures/rope.ts";
import { fingerprintOf } from "./fingerprint.ts";
import { readJsonFile } from "./json-file.ts";
import { ModelFileError } from "./model-file-error.ts";
import { findParameters, loadParameter, type MatrixOrder, type StoredParameter } from "./model-parameters.ts";
import type { ModelSpec } from "./model-spec.ts";
import type { BlockProgram } from "./program.ts";
import type { WeightSource } from "./weight-source.ts";
import { ggufToConfig } from "./weights/gguf-config.ts";
import { openGguf } from "./weights/gguf.ts";
import { openSafetensors } from "./weights/safetensors.ts";

/** A config.json takes some kilobytes. */
const MAX_CONFIG_BYTES = 4 << 20;

/** A model on disk: its public shape, its program, and its weights to be read by ranges. */
export interface Model {
  /** The folder or .gguf file, absolute. */
  readonly path: string;
  /** What a person calls it: the folder's or file's name. */
  readonly name: string;
  readonly spec: ModelSpec;
  /** What the configuration leaves open and how it was taken, a sentence each: to be shown to whoever runs the model. */
  readonly notes: readonly string[];
  readonly program: BlockProgram;
  /** Every parameter by its canonical name, with the stored tensor it comes from. */
  readonly parameters: ReadonlyMap<string, StoredParameter>;
  readonly source: WeightSource;
  /** SHA-256 (hex) of the configuration and of every byte of the weights. */
  readonly fingerprint: string;
  /** One parameter by its canonical name, in canonical form (see `ParameterSpec`) or as [out, in], float32. */
  load(name: string, order?: MatrixOrder): Promise<Float32Array>;
  close(): Promise<void>;
}

/**
 * Opens a folder with config.json and safetensors, or a .gguf file: reads headers alone, weights only when they are loaded.
 * @throws ModelFileError naming the file and the fault; ModelConfigError for a configuration that isn't supported.
 */
export async function openModel(given: string): Promise<Model> {
  const where = path.resolve(given);
  const { source, config, origin } = where.toLowerCase().endsWith(".gguf")
    ? await openGgufModel(where)
    : await openFolder(where);
  try {
    const architecture = architectureOf(config.model_type, origin);
    const spec = architecture.readSpec(config, origin);
    const parameters = findParameters(source, architecture.parameters(spec), architecture.hfPrefix);
    return {
      path: where,
      name: path.basename(where),
      spec,
      notes: spec.rope === null ? [] : ropeNotes(config, origin),
      program: architecture.program,
      parameters,
      source,
      fingerprint: await fingerprintOf(source.files, spec),
      load(name, order) {
        const parameter = parameters.get(name);
        if (parameter === undefined)
          throw new Error(`parameter ${name}: expected one of this ${spec.modelType} model, got an unknown name`);
        return loadParameter(source, parameter, order);
      },
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function openFolder(
  folder: string,
): Promise<{ source: WeightSource; config: Record<string, unknown>; origin: string }> {
  const state = await stat(folder).catch(() => null);
  if (state?.isDirectory() !== true) {
    throw new ModelFileError(
      folder,
      `model: expected a folder with config.json, or a .gguf file, got ${state === null ? "nothing there" : "a file of another kind"}`,
    );
  }
  const origin = path.join(folder, "config.json");
  const config = await readJsonFile(origin, MAX_CONFIG_BYTES);
  // The ids that end a generation are often more in generation_config.json (Llama 3's <|eot_id|>).
  const generationFile = path.join(folder, "generation_config.json");
  const hasGeneration = await stat(generationFile).then(
    () => true,
    () => false,
  );
  const generation = hasGeneration ? await readJsonFile(generationFile, MAX_CONFIG_BYTES) : {};
  const stops = [...new Set([...tokenIds(config.eos_token_id), ...tokenIds(generation.eos_token_id)])];
  return {
    source: await openSafetensors(folder),
    config: stops.length > 0 ? { ...config, eos_token_id: stops } : config,
    origin,
  };
}

async function openGgufModel(
  file: string,
): Promise<{ source: WeightSource; config: Record<string, unknown>; origin: string }> {
  const source = await openGguf(file);
  try {
    return { source, config: await ggufToConfig(source), origin: file };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Ids as eos_token_id gives them; anything else is left for the schema to refuse. */
function tokenIds(value: unknown): number[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.every((id) => typeof id === "number") ? list : [];
}
