import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { ModelFileError } from "../../layers/model-file-error.ts";
import { ggufToConfig } from "../../layers/weights/gguf-config.ts";
import { openGguf } from "../../layers/weights/gguf.ts";
import {
  bool,
  f32,
  floats,
  ggufBytes,
  int32s,
  string,
  u32,
  type GgufField,
  type GgufTensorParts,
} from "./gguf-bytes.ts";
import { scratchFolder } from "./scratch-folder.ts";
import { SMOLLM2_FOLDER, SMOLLM2_MISSING } from "./smollm2-folder.ts";

const scratch = await scratchFolder();
type Keys = Record<string, GgufField>;

const tensor = (name: string, shape: readonly number[], values?: readonly number[]): GgufTensorParts => {
  const count = shape.reduce((product, size) => product * size, 1);
  return { name, shape, type: 0, data: floats(...(values ?? Array.from({ length: count }, () => 0))) };
};
const EMBEDDING = tensor("token_embd.weight", [7, 8]);

let files = 0;
async function configOf(
  architecture: string,
  keys: Keys,
  tensors: readonly GgufTensorParts[] = [EMBEDDING],
): Promise<unknown> {
  const metadata = Object.entries({ "general.architecture": string(architecture), ...keys });
  const source = await openGguf(await scratch.write(`config-${files++}.gguf`, ggufBytes({ metadata, tensors })));
  try {
    return await ggufToConfig(source);
  } finally {
    await source.close();
  }
}

/** What every decoder's file has, under its architecture's prefix. */
const decoder = (prefix: string, more: Keys = {}): Keys => ({
  ...Object.fromEntries(
    Object.entries({
      embedding_length: u32(8),
      block_count: u32(2),
      "attention.head_count": u32(2),
      feed_forward_length: u32(16),
      context_length: u32(64),
      "attention.layer_norm_rms_epsilon": f32(0.5),
      ...more,
    }).map(([key, field]) => [`${prefix}.${key}`, field]),
  ),
  "tokenizer.ggml.bos_token_id": u32(1),
  "tokenizer.ggml.eos_token_id": u32(2),
});

const PLAIN = {
  model_type: "llama",
  hidden_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  head_dim: 4,
  intermediate_size: 16,
  max_position_embeddings: 64,
  rms_norm_eps: 0.5,
  hidden_act: "silu",
  rope_theta: 10_000,
  tie_word_embeddings: true,
  bos_token_id: 1,
  eos_token_id: [2],
  vocab_size: 7,
};

test("llama: defaults, then every key that a file may state", async () => {
  assert.deepEqual(await configOf("llama", decoder("llama")), PLAIN);
  const keys = decoder("llama", {
    "attention.head_count_kv": int32s([1, 1]),
    "attention.key_length": u32(6),
    "attention.value_length": u32(6),
    "rope.dimension_count": u32(6),
    "rope.freq_base": f32(500_000),
    "rope.scaling.type": string("linear"),
    "rope.scaling.factor": f32(4),
    vocab_size: u32(7),
  });
  const tensors = [
    EMBEDDING,
    tensor("output.weight", [7, 8]),
    tensor("blk.0.attn_q.bias", [12]),
    tensor("blk.0.ffn_up.bias", [16]),
  ];
  assert.deepEqual(await configOf("llama", { ...keys, "tokenizer.ggml.eot_token_id": u32(5) }, tensors), {
    ...PLAIN,
    num_key_value_heads: 1,
    head_dim: 6,
    rope_theta: 500_000,
    rope_scaling: { rope_type: "linear", factor: 4 },
    tie_word_embeddings: false,
    attention_bias: true,
    mlp_bias: true,
    eos_token_id: [2, 5],
  });
});

test("a llama file with a window is a mistral", async () => {
  const config = await configOf("llama", decoder("llama", { "attention.sliding_window": u32(12) }));
  assert.deepEqual(config, { ...PLAIN, model_type: "mistral", sliding_window: 12 });
});

test("qwen2, qwen3 and gemma2", async () => {
  assert.deepEqual(await configOf("qwen2", decoder("qwen2")), { ...PLAIN, model_type: "qwen2" });
  const qwen3 = decoder("qwen3", { "attention.key_length": u32(16), "attention.value_length": u32(16) });
  assert.deepEqual(await configOf("qwen3", qwen3), { ...PLAIN, model_type: "qwen3", head_dim: 16 });
  const { hidden_act: _silu, ...shared } = PLAIN;
  const gemma2 = { ...shared, model_type: "gemma2", hidden_activation: "gelu_pytorch_tanh" };
  const keys = { attn_logit_softcapping: f32(5), final_logit_softcapping: f32(3), "attention.sliding_window": u32(16) };
  assert.deepEqual(await configOf("gemma2", decoder("gemma2", keys)), {
    ...gemma2,
    query_pre_attn_scalar: 4,
    attn_logit_softcapping: 5,
    final_logit_softcapping: 3,
    sliding_window: 16,
  });
  // The 27B model, known by its 46 layers, scales by width / heads and not by the width of a head.
  const large = { "attention.key_length": u32(6), block_count: u32(46) };
  assert.deepEqual(await configOf("gemma2", decoder("gemma2", large)), {
    ...gemma2,
    num_hidden_layers: 46,
    head_dim: 6,
    query_pre_attn_scalar: 4,
    attn_logit_softcapping: 50,
    final_logit_softcapping: 30,
    sliding_window: 4096,
  });
});

test("gpt2 and bert", async () => {
  const sizes = (prefix: string): Keys =>
    Object.fromEntries(
      Object.entries({
        embedding_length: u32(8),
        block_count: u32(2),
        "attention.head_count": u32(2),
        feed_forward_length: u32(32),
        context_length: u32(64),
        "attention.layer_norm_epsilon": f32(0.25),
        "attention.causal": bool(prefix !== "bert"),
      }).map(([key, field]) => [`${prefix}.${key}`, field]),
    );
  const none = { bos_token_id: null, eos_token_id: null, vocab_size: 7 };
  assert.deepEqual(await configOf("gpt2", sizes("gpt2")), {
    model_type: "gpt2",
    n_embd: 8,
    n_layer: 2,
    n_head: 2,
    n_positions: 64,
    n_inner: 32,
    layer_norm_epsilon: 0.25,
    activation_function: "gelu_new",
    tie_word_embeddings: true,
    ...none,
  });
  const tensors = [EMBEDDING, tensor("token_types.weight", [2, 8])];
  assert.deepEqual(await configOf("bert", { ...sizes("bert"), "bert.pooling_type": u32(1) }, tensors), {
    model_type: "bert",
    hidden_size: 8,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 32,
    max_position_embeddings: 64,
    layer_norm_eps: 0.25,
    hidden_act: "gelu",
    type_vocab_size: 2,
    ...none,
  });
});

/** convert_hf_to_gguf.py's divisors for Llama 3.1 (theta 500 000, head of 128) with this factor. */
function llama3Divisors(factor: number): number[] {
  return Array.from({ length: 64 }, (_, i) => {
    const wavelength = 2 * Math.PI * 500_000 ** (i / 64);
    if (wavelength < 8192 / 4) return 1;
    if (wavelength > 8192 / 1) return factor;
    const smooth = (8192 / wavelength - 1) / (4 - 1);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}

test("rope_freqs.weight: Llama 3's scaling is named, plain divisors are none, others are refused", async () => {
  const keys = decoder("llama", { "attention.key_length": u32(128), "rope.freq_base": f32(500_000) });
  const withDivisors = (values: readonly number[]) =>
    configOf("llama", keys, [EMBEDDING, tensor("rope_freqs.weight", [values.length], values)]);
  const plain = { ...PLAIN, head_dim: 128, rope_theta: 500_000 };
  for (const factor of [8, 32]) {
    assert.deepEqual(await withDivisors(llama3Divisors(factor)), {
      ...plain,
      rope_scaling: {
        rope_type: "llama3",
        factor,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 8192,
      },
    });
  }
  assert.deepEqual(await withDivisors(llama3Divisors(1)), plain);
  const odd = llama3Divisors(8);
  odd[40] *= 1.01;
  await assert.rejects(withDivisors(odd), /rope_freqs.weight: expected the llama3 scaling/);
  await assert.rejects(
    withDivisors([1, 1]),
    /rope_freqs.weight: expected \[64\] divisors of the rotary frequencies, got \[2\]/,
  );
});

const REFUSED: readonly (readonly [what: string, expected: RegExp, architecture: string, keys: Keys])[] = [
  ["an architecture that isn't supported", /general.architecture: expected one of llama, .*, got "mamba"/, "mamba", {}],
  ["a size that is missing", /llama.embedding_length: expected an integer of 1 to/, "llama", {}],
  [
    "a size of zero",
    /llama.block_count: expected an integer of 1 to .*, got 0/,
    "llama",
    decoder("llama", { block_count: u32(0) }),
  ],
  ["experts", /llama.expert_count: expected 0 .*, got 8/, "llama", decoder("llama", { expert_count: u32(8) })],
  [
    "yarn",
    /llama.rope.scaling.type: .*, got "yarn"/,
    "llama",
    decoder("llama", { "rope.scaling.type": string("yarn") }),
  ],
  [
    "linear scaling without a factor",
    /rope.scaling.factor: .*, got nothing/,
    "llama",
    decoder("llama", { "rope.scaling.type": string("linear") }),
  ],
  [
    "rotation of a part of the head",
    /rope.dimension_count: expected 4 .*, got 2/,
    "llama",
    decoder("llama", { "rope.dimension_count": u32(2) }),
  ],
  [
    "heads that differ by layer",
    /head_count_kv: expected one size for all layers, got \[1,2\]/,
    "llama",
    decoder("llama", { "attention.head_count_kv": int32s([1, 2]) }),
  ],
  [
    "a key that nobody reads",
    /llama.logit_scale: expected a key that weir knows/,
    "llama",
    decoder("llama", { logit_scale: f32(2) }),
  ],
  [
    "another vocabulary than the embedding's",
    /llama.vocab_size: expected 7 .*, got 8/,
    "llama",
    decoder("llama", { vocab_size: u32(8) }),
  ],
  [
    "a token id that is none",
    /eos_token_id: expected a token id, got "x"/,
    "llama",
    { ...decoder("llama"), "tokenizer.ggml.eos_token_id": string("x") },
  ],
];

for (const [what, expected, architecture, keys] of REFUSED) {
  test(`refused: ${what}`, () =>
    assert.rejects(
      configOf(architecture, keys),
      (error) => error instanceof ModelFileError && expected.test(error.message),
    ));
}

test("refused: no embedding", () =>
  assert.rejects(configOf("llama", decoder("llama"), [tensor("w", [1])]), /expected tensor token_embd.weight/));

test("SmolLM2", { skip: SMOLLM2_MISSING }, async () => {
  const source = await openGguf(path.join(SMOLLM2_FOLDER, "model.gguf"));
  assert.deepEqual(await ggufToConfig(source), {
    model_type: "llama",
    hidden_size: 576,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    head_dim: 64,
    intermediate_size: 1536,
    max_position_embeddings: 8192,
    rms_norm_eps: Math.fround(1e-5),
    hidden_act: "silu",
    rope_theta: 100_000,
    tie_word_embeddings: true,
    bos_token_id: 1,
    eos_token_id: [2],
    vocab_size: 49_152,
  });
  await source.close();
});
