import type { JsonObject } from "../json-file.ts";
import { ModelFileError, printable } from "../model-file-error.ts";
import { GgufMetadataReader } from "./gguf-metadata.ts";
import type { GgufSource } from "./gguf.ts";

/** What of a GGUF model is read to describe it. */
export type GgufDescription = Pick<GgufSource, "files" | "metadata" | "tensors" | "readRows">;

type Describe = (reader: GgufMetadataReader, source: GgufDescription) => JsonObject | Promise<JsonObject>;

/** By general.architecture. Names and meanings of the keys: gguf-py's constants.py and llama.cpp's llama-model.cpp. */
const ARCHITECTURES: ReadonlyMap<string, Describe> = new Map<string, Describe>([
  ["llama", describeLlama],
  ["qwen2", (reader, source) => describeRotary("qwen2", reader, source)],
  ["qwen3", (reader, source) => describeRotary("qwen3", reader, source)],
  ["gemma2", describeGemma2],
  ["gpt2", describeGpt2],
  ["bert", describeBert],
]);

/**
 * Describes a GGUF model as the config.json that Hugging Face's transformers would have for it (same keys, same meaning).
 * `rope_freqs.weight` becomes the llama3 scaling that made it.
 * @throws ModelFileError for an architecture that isn't supported, and for a key or tensor that might change the result and isn't.
 */
export async function ggufToConfig(source: GgufDescription): Promise<JsonObject> {
  const [file] = source.files;
  const architecture = source.metadata.get("general.architecture");
  const describe = typeof architecture === "string" ? ARCHITECTURES.get(architecture) : undefined;
  if (!describe) {
    const supported = [...ARCHITECTURES.keys()].join(", ");
    throw new ModelFileError(
      file,
      `general.architecture: expected one of ${supported}, got ${printable(architecture)}`,
    );
  }
  const reader = new GgufMetadataReader(file, source.metadata, architecture as string);
  const config = await describe(reader, source);
  const vocabulary = vocabularySize(reader, source);
  reader.refuseOthers();
  return { ...config, ...specialTokens(source), vocab_size: vocabulary };
}

/** llama and mistral: GGUF has one name for both, and a window only where the model has one. */
async function describeLlama(reader: GgufMetadataReader, source: GgufDescription): Promise<JsonObject> {
  const config = await describeRotary("llama", reader, source);
  const window = reader.optionalSize("attention.sliding_window");
  const attentionBias = source.tensors.has("blk.0.attn_q.bias") ? { attention_bias: true } : {};
  const mlpBias = source.tensors.has("blk.0.ffn_up.bias") ? { mlp_bias: true } : {};
  return {
    ...config,
    ...attentionBias,
    ...mlpBias,
    ...(window === undefined ? {} : { model_type: "mistral", sliding_window: window }),
  };
}

async function describeGemma2(reader: GgufMetadataReader, source: GgufDescription): Promise<JsonObject> {
  const { hidden_act: _silu, ...config } = await describeRotary("gemma2", reader, source);
  // The file lacks the attention scale: llama.cpp derives it from the layers (46: the 27B model, which scales by its width a head).
  const width = Number(config.hidden_size) / Number(config.num_attention_heads);
  return {
    ...config,
    hidden_activation: "gelu_pytorch_tanh",
    query_pre_attn_scalar: config.num_hidden_layers === 46 ? width : config.head_dim,
    sliding_window: reader.optionalSize("attention.sliding_window") ?? 4096,
    attn_logit_softcapping: reader.optionalPositive("attn_logit_softcapping") ?? 50,
    final_logit_softcapping: reader.optionalPositive("final_logit_softcapping") ?? 30,
  };
}

/** What all decoders with rotary positions have. */
async function describeRotary(
  modelType: string,
  reader: GgufMetadataReader,
  source: GgufDescription,
): Promise<JsonObject> {
  const width = reader.size("embedding_length");
  const heads = reader.uniformSize("attention.head_count") ?? reader.size("attention.head_count");
  const headDim = reader.optionalSize("attention.key_length") ?? width / heads;
  reader.mustBe("attention.value_length", headDim);
  reader.mustBe("rope.dimension_count", headDim);
  reader.mustBe("attention.causal", true);
  reader.mustBe("expert_count", 0);
  reader.mustBe("expert_used_count", 0);
  const theta = reader.optionalPositive("rope.freq_base") ?? 10_000;
  const scaling = await ropeScaling(reader, source, theta, headDim);
  return {
    model_type: modelType,
    hidden_size: width,
    num_hidden_layers: reader.size("block_count"),
    num_attention_heads: heads,
    num_key_value_heads: reader.uniformSize("attention.head_count_kv") ?? heads,
    head_dim: headDim,
    intermediate_size: reader.uniformSize("feed_forward_length") ?? reader.size("feed_forward_length"),
    max_position_embeddings: reader.size("context_length"),
    rms_norm_eps: reader.optionalPositive("attention.layer_norm_rms_epsilon") ?? 1e-6,
    hidden_act: "silu",
    rope_theta: theta,
    ...(scaling === null ? {} : { rope_scaling: scaling }),
    tie_word_embeddings: !source.tensors.has("output.weight"),
  };
}

function describeGpt2(reader: GgufMetadataReader, source: GgufDescription): JsonObject {
  reader.mustBe("attention.causal", true);
  reader.mustBe("attention.head_count_kv", reader.size("attention.head_count"));
  return {
    model_type: "gpt2",
    n_embd: reader.size("embedding_length"),
    n_layer: reader.size("block_count"),
    n_head: reader.size("attention.head_count"),
    n_positions: reader.size("context_length"),
    n_inner: reader.size("feed_forward_length"),
    layer_norm_epsilon: reader.optionalPositive("attention.layer_norm_epsilon") ?? 1e-5,
    activation_function: "gelu_new",
    tie_word_embeddings: !source.tensors.has("output.weight"),
  };
}

function describeBert(reader: GgufMetadataReader, source: GgufDescription): JsonObject {
  reader.mustBe("attention.causal", false);
  reader.mustBe("attention.head_count_kv", reader.size("attention.head_count"));
  // How token rows become one row for the text: after the rows that we compute.
  reader.ignore("pooling_type");
  const types = source.tensors.get("token_types.weight")?.shape[0];
  return {
    model_type: "bert",
    hidden_size: reader.size("embedding_length"),
    num_hidden_layers: reader.size("block_count"),
    num_attention_heads: reader.size("attention.head_count"),
    intermediate_size: reader.size("feed_forward_length"),
    max_position_embeddings: reader.size("context_length"),
    layer_norm_eps: reader.optionalPositive("attention.layer_norm_epsilon") ?? 1e-12,
    hidden_act: "gelu",
    ...(types === undefined ? {} : { type_vocab_size: types }),
  };
}

/** rope_scaling as config.json has it; null where frequencies are plain. */
async function ropeScaling(
  reader: GgufMetadataReader,
  source: GgufDescription,
  theta: number,
  headDim: number,
): Promise<JsonObject | null> {
  const kind = reader.value("rope.scaling.type") ?? "none";
  // Older files have this key and no type.
  const older = reader.optionalPositive("rope.scale_linear");
  const factor = reader.optionalPositive("rope.scaling.factor") ?? older;
  reader.mustBe("rope.scaling.attn_factor", 1);
  reader.ignore("rope.scaling.original_context_length", "rope.scaling.finetuned");
  if (kind !== "none" && kind !== "linear") throw reader.fault("rope.scaling.type", '"none" or "linear"', kind);
  const stretched = factor !== undefined && factor !== 1;
  if (kind === "linear" && factor === undefined)
    throw reader.fault("rope.scaling.factor", "a positive number", undefined);
  const name = "rope_freqs.weight";
  const divisors = source.tensors.get(name);
  if (!divisors) return stretched ? { rope_type: "linear", factor } : null;

  const fault = (text: string): ModelFileError => new ModelFileError(source.files[0], `${name}: ${text}`);
  if (stretched) throw fault(`expected it without rope.scaling, got a factor of ${factor} too`);
  if (divisors.shape.length !== 1 || divisors.shape[0] !== headDim / 2) {
    throw fault(`expected [${headDim / 2}] divisors of the rotary frequencies, got [${divisors.shape.join(", ")}]`);
  }
  const values = new Float32Array(headDim / 2); // [headDim / 2]
  await source.readRows(name, 0, values.length, values);
  if (values.every((value) => value === 1)) return null;
  const scaling = llama3Scaling(values, theta);
  if (!scaling) {
    throw fault(
      "expected the llama3 scaling of Llama 3.1 (low 1, high 4, context 8192), got other divisors, which aren't supported",
    );
  }
  return scaling;
}

/**
 * The llama3 scaling whose divisors these are, or null. A file holds the divisors alone, as convert_hf_to_gguf.py computes them;
 * every Llama 3.1 to 3.3 has these parameters and a factor of its own, so the factor is read off and the rest is checked.
 */
function llama3Scaling(divisors: Float32Array, theta: number): JsonObject | null {
  const factor = Math.max(...divisors);
  const [low, high, context] = [1, 4, 8192];
  const matches = divisors.every((divisor, i) => {
    const turns = (context * theta ** (-i / divisors.length)) / (2 * Math.PI);
    const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
    const expected = 1 / ((1 - kept) / factor + kept);
    return Math.abs(divisor / expected - 1) < 1e-4;
  });
  if (!matches) return null;
  return {
    rope_type: "llama3",
    factor,
    low_freq_factor: low,
    high_freq_factor: high,
    original_max_position_embeddings: context,
  };
}

/** Rows of the embedding, which must be what the metadata states, where it states them. */
function vocabularySize(reader: GgufMetadataReader, source: GgufDescription): number {
  const rows = source.tensors.get("token_embd.weight")?.shape[0];
  if (rows === undefined)
    throw new ModelFileError(source.files[0], "expected tensor token_embd.weight, got none of that name");
  reader.mustBe("vocab_size", rows);
  return rows;
}

/** bos_token_id, and eos_token_id with every token that ends a generation (end of text, of turn, of message). */
function specialTokens(source: GgufDescription): JsonObject {
  const id = (key: string): number | undefined => {
    const value = source.metadata.get(`tokenizer.ggml.${key}`);
    if (value === undefined || (typeof value === "number" && Number.isInteger(value) && value >= 0)) return value;
    throw new ModelFileError(
      source.files[0],
      `tokenizer.ggml.${key}: expected a token id, got ${printable(String(value))}`,
    );
  };
  const ends = ["eos_token_id", "eot_token_id", "eom_token_id"].map(id).filter((end) => end !== undefined);
  return { bos_token_id: id("bos_token_id") ?? null, eos_token_id: ends.length === 0 ? null : [...new Set(ends)] };
}
