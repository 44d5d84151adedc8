import { z } from "zod";
import { ModelFileError } from "../model-file-error.ts";
import type { Activation } from "../model-spec.ts";

/**
 * Reading config.json strictly: an architecture's schema names every key that it reads, with the values it supports, and every key
 * known to be harmless. Any other key with a value might change the result, so it is refused by name. `null` is "not set".
 */

/** A model's configuration can't be run as it stands; the message names each key, its value and what is supported. */
export class ModelConfigError extends ModelFileError {
  override readonly name: string = "ModelConfigError";
}

/** A size: a positive integer, bounded so that a hostile file can't ask for an absurd allocation. */
export const size = z.int().min(1).max(1_000_000_000);
/** A positive finite number (an epsilon, a scale, a cap). */
export const positive = z.number().positive().max(1e30);
/** A key that doesn't touch the result of inference. */
export const harmless = z.unknown().optional();
/** A switch that must stay off. */
export const off = z.literal(false).nullish();

const tokenIds = z.union([z.int().min(0), z.array(z.int().min(0))]);

/** Keys that transformers writes into every config.json, whatever the architecture. */
export const commonKeys = {
  model_type: z.string(),
  eos_token_id: tokenIds.nullish(),
  tie_word_embeddings: z.boolean().nullish(),
  architectures: harmless,
  dtype: harmless,
  torch_dtype: harmless,
  transformers_version: harmless,
  _name_or_path: harmless,
  use_cache: harmless,
  initializer_range: harmless,
  bos_token_id: harmless,
  pad_token_id: harmless,
  sep_token_id: harmless,
  cls_token_id: harmless,
  unk_token_id: harmless,
  mask_token_id: harmless,
  gradient_checkpointing: harmless,
  return_dict: harmless,
  output_attentions: harmless,
  output_hidden_states: harmless,
  id2label: harmless,
  label2id: harmless,
  num_labels: harmless,
  problem_type: harmless,
  task_specific_params: harmless,
  attn_implementation: harmless,
  _attn_implementation: harmless,
  _attn_implementation_autoset: harmless,
  "transformers.js_config": harmless,
  unsloth_version: harmless,
  unsloth_fixed: harmless,
} as const;

/** Names of the activations that the algebra has. */
const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  gelu: "gelu",
  gelu_new: "geluTanh",
  gelu_pytorch_tanh: "geluTanh",
  gelu_fast: "geluTanh",
  silu: "silu",
  swish: "silu",
  relu: "relu",
};

/** An activation's name in a config, as one of ours. */
export const activation = z.enum(Object.keys(ACTIVATIONS)).transform((name) => ACTIVATIONS[name]);

/**
 * `config` checked by `schema`. `origin` names the file in errors.
 * Throws ModelConfigError that lists every key at fault, its value and what is supported.
 */
export function readConfig<S extends z.ZodObject>(schema: S, config: unknown, origin: string): z.output<S> {
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new ModelConfigError(origin, `expected a JSON object, got ${show(config)}`);
  }
  const known = schema.shape;
  const set = Object.fromEntries(Object.entries(config).filter(([key, value]) => value !== null || key in known));
  const result = schema.strict().safeParse(set, { error: describeIssue });
  if (result.success) return result.data as z.output<S>; // strict() adds an index signature to the type, nothing to the value
  const lines = result.error.issues.map((issue) => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys
        .map(
          (key) =>
            `key ${at([...issue.path, key])}: expected a key that weir knows for this model, got ${show(valueAt(set, [...issue.path, key]))}; it might change the result, so the model isn't run`,
        )
        .join("; ");
    }
    return `key ${at(issue.path)}: ${issue.message}`;
  });
  throw new ModelConfigError(origin, lines.join("; "));
}

/** The ids that end a generation, from eos_token_id of a config. */
export function stopTokensOf(eos: number | number[] | null | undefined): number[] {
  if (eos === null || eos === undefined) return [];
  return typeof eos === "number" ? [eos] : [...eos];
}

/** Throws ModelConfigError unless `condition`; for what one key's type can't say. */
export function demand(
  condition: boolean,
  origin: string,
  key: string,
  expected: string,
  got: unknown,
): asserts condition {
  if (!condition) throw new ModelConfigError(origin, `key ${key}: expected ${expected}, got ${show(got)}`);
}

type RawIssue = Parameters<z.core.$ZodErrorMap>[0];

function describeIssue(issue: RawIssue): string {
  const got = issue.input === undefined ? "nothing" : show(issue.input);
  switch (issue.code) {
    case "invalid_value":
      return `expected ${issue.values.map(show).join(" or ")}, got ${got}`;
    case "invalid_type":
      return `expected ${issue.expected}, got ${got}`;
    case "too_small":
      return `expected at least ${String(issue.minimum)}, got ${got}`;
    case "too_big":
      return `expected at most ${String(issue.maximum)}, got ${got}`;
    case "custom":
      return `expected ${String(issue.params?.expected)}, got ${got}`;
    default:
      return `expected another value, got ${got}`;
  }
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce((inner: unknown, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], value);
}

const at = (path: readonly PropertyKey[]): string => path.map(String).join(".");

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
