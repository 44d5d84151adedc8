import assert from "node:assert/strict";
import { cp, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { ModelConfigError } from "../../layers/architectures/config-reader.ts";
import { ARCHITECTURES, architectureOf } from "../../layers/architectures/registry.ts";
import type { ModelSpec } from "../../layers/model-spec.ts";
import { openModel } from "../../layers/model.ts";
import { MODELS_FOLDER } from "./golden-models.ts";
import { scratchFolder } from "./scratch-folder.ts";

const scratch = await scratchFolder();

type Config = Record<string, unknown>;

const FIXTURE_OF: Readonly<Record<string, string>> = {
  bert: "bert",
  gemma2: "gemma2",
  gpt2: "gpt2",
  llama: "llama-gqa",
  mistral: "mistral-window",
  qwen2: "qwen2-bias",
  qwen3: "qwen3",
};

const configs = new Map<string, Config>();
for (const [type, folder] of Object.entries(FIXTURE_OF)) {
  configs.set(type, JSON.parse(await readFile(path.join(MODELS_FOLDER, folder, "config.json"), "utf8")) as Config);
}

/** The spec of an architecture's fixture with some keys set, and those given as undefined left out. */
function specOf(type: string, changes: Config = {}): ModelSpec {
  const config = Object.fromEntries(
    Object.entries({ ...configs.get(type), ...changes }).filter(([, value]) => value !== undefined),
  );
  return architectureOf(type, "config.json").readSpec(config, "config.json");
}

test("every architecture has a fixture and reads it", () => {
  assert.deepEqual([...ARCHITECTURES.keys()].sort(), Object.keys(FIXTURE_OF).sort());
  for (const type of ARCHITECTURES.keys()) assert.equal(specOf(type).modelType, type);
});

/** What is refused: architecture, the keys set, and what the error must name. */
const REFUSED: readonly [type: string, changes: Config, fault: RegExp][] = [
  ["llama", { rope_scaling: { rope_type: "yarn", factor: 2 } }, /rope_scaling.*"default", "linear", "llama3".*yarn/],
  ["llama", { rope_parameters: { rope_type: "dynamic", factor: 2 } }, /rope_parameters.*"llama3".*dynamic/],
  ["llama", { rope_scaling: { type: "longrope", short_factor: [1] } }, /rope_scaling.*"linear".*longrope/],
  [
    "llama",
    { rope_parameters: { rope_type: "llama3", factor: 8, low_freq_factor: 1 } },
    /rope_parameters.*high_freq_factor/,
  ],
  ["llama", { rope_parameters: { rope_type: "linear", factor: 2, beta_fast: 1 } }, /rope_parameters.*beta_fast/],
  ["llama", { rope_parameters: { full_attention: { rope_theta: 1e4 } } }, /rope_parameters.*full_attention/],
  ["llama", { rope_parameters: { rope_type: "constructor" } }, /rope_parameters.*"linear".*constructor/],
  [
    "llama",
    { rope_parameters: { rope_type: "default", partial_rotary_factor: 0.25 } },
    /rope_parameters.*partial_rotary_factor/,
  ],
  ["llama", { rope_theta: 5000 }, /rope_theta.*5000/],
  ["llama", { partial_rotary_factor: 0.5 }, /partial_rotary_factor: expected 1, got 0\.5/],
  ["llama", { rope_interleaved: true }, /rope_interleaved: expected false, got true/],
  ["llama", { hidden_act: "mish" }, /hidden_act: expected .*"silu".*got "mish"/],
  ["llama", { quantization_config: { bits: 4 } }, /quantization_config: expected false, got \{"bits":4\}/],
  ["llama", { attention_bias: "yes" }, /attention_bias: .*"yes"/],
  ["llama", { num_key_value_heads: 3 }, /num_key_value_heads: expected a divisor of num_attention_heads 4, got 3/],
  ["llama", { head_dim: 15 }, /head_dim: expected an even size/],
  [
    "llama",
    { head_dim: undefined, num_attention_heads: 3, num_key_value_heads: 3 },
    /num_attention_heads: expected a divisor/,
  ],
  ["llama", { hidden_size: undefined }, /hidden_size: expected .*got nothing/],
  ["llama", { hidden_size: 0 }, /hidden_size: expected at least 1, got 0/],
  ["llama", { num_hidden_layers: 1e12 }, /num_hidden_layers: expected at most .*got 1000000000000/],
  ["llama", { num_hidden_layers: 2.5 }, /num_hidden_layers: .*2\.5/],
  ["llama", { eos_token_id: "</s>" }, /eos_token_id: .*"<\/s>"/],
  ["llama", { residual_multiplier: 0.2 }, /residual_multiplier: expected a key that weir knows.*0\.2.*isn't run/],
  ["llama", { sliding_window: 12 }, /sliding_window: expected a key that weir knows.*12/],
  ["mistral", { layer_types: ["sliding_attention"] }, /layer_types: expected 2 entries.*got 1/],
  ["mistral", { layer_types: ["sliding_attention", "linear_attention"] }, /layer_types\.1: .*"linear_attention"/],
  ["mistral", { sliding_window: null, layer_types: ["sliding_attention", "full_attention"] }, /sliding_window: .*null/],
  ["mistral", { num_key_value_heads: undefined }, /num_key_value_heads/],
  ["qwen2", { use_mrope: true }, /use_mrope: expected false, got true/],
  ["qwen2", { attention_bias: true }, /attention_bias/],
  ["qwen3", { num_experts: 8 }, /num_experts: .*8/],
  ["gemma2", { use_bidirectional_attention: true }, /use_bidirectional_attention: expected false, got true/],
  ["gemma2", { hidden_activation: "gelu_10" }, /hidden_activation: .*"gelu_10"/],
  ["gemma2", { attn_logit_softcapping: -1 }, /attn_logit_softcapping: .*-1/],
  ["gpt2", { scale_attn_by_inverse_layer_idx: true }, /scale_attn_by_inverse_layer_idx: expected false, got true/],
  ["gpt2", { reorder_and_upcast_attn: true }, /reorder_and_upcast_attn: expected false, got true/],
  ["gpt2", { add_cross_attention: true }, /add_cross_attention: expected false, got true/],
  ["gpt2", { n_head: 5 }, /n_head: expected a divisor of n_embd 48, got 5/],
  [
    "bert",
    { position_embedding_type: "relative_key" },
    /position_embedding_type: expected "absolute", got "relative_key"/,
  ],
  ["bert", { is_decoder: true }, /is_decoder: expected false, got true/],
  ["bert", { embedding_size: 24 }, /embedding_size: .*24/],
];

for (const [type, changes, fault] of REFUSED) {
  test(`${type} with ${JSON.stringify(changes)} is refused by name`, () => {
    assert.throws(
      () => specOf(type, changes),
      (error: unknown) => {
        assert.ok(error instanceof ModelConfigError, String(error));
        assert.equal(error.file, "config.json");
        assert.match(error.message, fault);
        return true;
      },
    );
  });
}

/** Keys that published checkpoints have beside those of the fixtures, with their values. */
const PUBLISHED: readonly [like: string, type: string, changes: Config][] = [
  [
    "SmolLM2",
    "llama",
    {
      is_llama_config: true,
      rope_interleaved: false,
      rope_scaling: null,
      "transformers.js_config": { dtype: "q4" },
      torch_dtype: "bfloat16",
    },
  ],
  [
    "Llama 3.1",
    "llama",
    {
      eos_token_id: [128001, 128008],
      rope_parameters: undefined,
      rope_theta: 5e5,
      rope_scaling: {
        factor: 8,
        high_freq_factor: 4,
        low_freq_factor: 1,
        original_max_position_embeddings: 8192,
        rope_type: "llama3",
      },
    },
  ],
  ["Llama 2", "llama", { _name_or_path: "x", gradient_checkpointing: false, pretraining_tp: 2, hidden_act: "swish" }],
  [
    "Qwen2.5",
    "qwen2",
    { rope_parameters: undefined, rope_theta: 1e6, sliding_window: 32768, max_window_layers: 21, use_mrope: false },
  ],
  [
    "Qwen3",
    "qwen3",
    { rope_parameters: undefined, rope_theta: 1e6, rope_scaling: null, attention_bias: false, max_window_layers: 28 },
  ],
  [
    "Gemma 2",
    "gemma2",
    {
      hidden_act: "gelu_pytorch_tanh",
      cache_implementation: "hybrid",
      sliding_window_size: 4096,
      _attn_implementation_autoset: true,
    },
  ],
  ["GPT-2", "gpt2", { n_ctx: 128, task_specific_params: { "text-generation": { do_sample: true } } }],
  [
    "BERT",
    "bert",
    {
      position_embedding_type: "absolute",
      gradient_checkpointing: false,
      directionality: "bidi",
      pooler_type: "first_token_transform",
      id2label: { "0": "a" },
    },
  ],
];

for (const [like, type, changes] of PUBLISHED) {
  test(`the keys of a published ${like} are read`, () => assert.equal(specOf(type, changes).modelType, type));
}

test("an unknown architecture is refused with those that are known", () => {
  assert.throws(
    () => architectureOf("mamba", "x/config.json"),
    /x\/config\.json: key model_type: expected one of bert, .*qwen3, got "mamba"/,
  );
  assert.throws(() => architectureOf(undefined, "c"), /got nothing/);
});

test("all faults of a config are named at once", () => {
  assert.throws(
    () => specOf("llama", { hidden_act: "mish", extra_norm: 1 }),
    /hidden_act.*extra_norm|extra_norm.*hidden_act/,
  );
});

test("an unknown key that is null is not set", () => {
  assert.deepEqual(specOf("llama", { residual_multiplier: null }), specOf("llama"));
});

test("both styles of rotary positions give the same frequencies", () => {
  const scaling = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 };
  const older = specOf("llama", {
    rope_parameters: undefined,
    rope_theta: 5e5,
    rope_scaling: { type: "llama3", ...scaling },
  });
  const newer = specOf("llama", { rope_parameters: { rope_type: "llama3", rope_theta: 5e5, ...scaling } });
  assert.deepEqual(older, newer);
  assert.notDeepEqual(newer.rope, specOf("llama", { rope_parameters: { rope_type: "default", rope_theta: 5e5 } }).rope);
});

test("linear scaling divides every frequency, theta defaults to 10 000", () => {
  const plain = specOf("llama", { rope_parameters: undefined }).rope!.inverseFrequencies;
  assert.deepEqual(
    plain,
    Array.from({ length: 8 }, (_, i) => 10_000 ** (-i / 8)),
  );
  const scaled = specOf("llama", { rope_parameters: { rope_type: "linear", factor: 4 } }).rope!.inverseFrequencies;
  assert.deepEqual(
    scaled,
    plain.map((frequency) => frequency / 4),
  );
});

test("a config without rope_theta is said to have been taken with 10 000; with one, of any style, nothing is said", async () => {
  for (const [keys, notes] of [
    [{}, 1],
    [{ rope_theta: null }, 1],
    [{ rope_parameters: { rope_type: "linear", factor: 4 } }, 1],
    [{ rope_theta: 1e4 }, 0],
    [{ rope_parameters: { rope_theta: 1e4, rope_type: "default" } }, 0],
    [{ rope_scaling: { rope_theta: 1e4, type: "linear", factor: 4 } }, 0],
  ] as const) {
    const folder = path.join(scratch.path, `theta-${Math.random()}`);
    await cp(path.join(MODELS_FOLDER, "llama-gqa"), folder, { recursive: true });
    const { rope_parameters: _, ...config } = configs.get("llama")!;
    const file = path.join(folder, "config.json");
    await writeFile(file, JSON.stringify({ ...config, ...keys }));
    const model = await openModel(folder);
    assert.equal(model.notes.length, notes, JSON.stringify(keys));
    for (const note of model.notes)
      assert.equal(
        note,
        `${file}: rope_theta: expected one, got none; 10000 is taken, as transformers does, which may not be the model's`,
      );
    await model.close();
  }
  const learned = await openModel(path.join(MODELS_FOLDER, "gpt2"));
  assert.deepEqual(learned.notes, []);
  await learned.close();
});

test("llama3 scaling keeps high frequencies, divides low ones and blends between", () => {
  const parameters = {
    rope_type: "llama3",
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 64,
  };
  const plain = specOf("llama").rope!.inverseFrequencies;
  const ratios = specOf("llama", { rope_parameters: parameters }).rope!.inverseFrequencies.map((f, i) => plain[i] / f);
  // Turns within 64 positions, 64 f / 2π, are 10.2, 3.2, 1.02 and then less than 1.
  assert.equal(ratios[0], 1);
  assert.ok(ratios[1] > 1 && ratios[1] < ratios[2] && ratios[2] < 8, String(ratios));
  for (const ratio of ratios.slice(3)) assert.ok(Math.abs(ratio - 8) < 1e-12);
});

test("torch_dtype is dtype's older name", () => {
  assert.deepEqual(specOf("llama", { dtype: undefined, torch_dtype: "float16" }), specOf("llama"));
});

test("windows follow layer_types, or each architecture's rule without them", () => {
  const windows = (type: string, changes: Config): readonly (number | null)[] => specOf(type, changes).windows;
  assert.deepEqual(windows("mistral", {}), [12, 12]);
  assert.deepEqual(windows("mistral", { sliding_window: null }), [null, null]);
  assert.deepEqual(windows("mistral", { sliding_window: undefined }), [4096, 4096]);
  assert.deepEqual(windows("mistral", { layer_types: ["full_attention", "sliding_attention"] }), [null, 12]);
  assert.deepEqual(windows("gemma2", {}), [16, null, 16, null]);
  assert.deepEqual(windows("gemma2", { layer_types: undefined }), [16, null, 16, null]);
  assert.deepEqual(windows("gemma2", { layer_types: undefined, sliding_window: undefined }), [4096, null, 4096, null]);
  const qwen = { layer_types: undefined, sliding_window: 8, max_window_layers: 1 };
  assert.deepEqual(windows("qwen2", { ...qwen, use_sliding_window: true }), [null, 8]);
  assert.deepEqual(windows("qwen2", { ...qwen, use_sliding_window: false }), [null, null]);
  assert.deepEqual(windows("qwen3", { ...qwen, use_sliding_window: true }), [null, 8]);
});

test("defaults are those of transformers' classes", () => {
  assert.equal(specOf("llama", { num_key_value_heads: undefined }).kvHeads, 4);
  assert.equal(specOf("llama", { tie_word_embeddings: undefined }).tiedHead, false);
  assert.equal(specOf("gpt2", { tie_word_embeddings: undefined }).tiedHead, true);
  assert.equal(specOf("gemma2", { tie_word_embeddings: undefined }).tiedHead, true);
  assert.equal(specOf("gemma2", { attn_logit_softcapping: undefined }).attentionSoftCap, 50);
  assert.equal(specOf("gemma2", { attn_logit_softcapping: null }).attentionSoftCap, null);
  assert.equal(specOf("gemma2", { final_logit_softcapping: undefined }).logitSoftCap, 30);
  assert.equal(specOf("gemma2", { query_pre_attn_scalar: 144 }).attentionScale, 1 / 12);
  assert.equal(specOf("qwen3", { head_dim: undefined }).headDim, 128);
  assert.equal(specOf("gpt2", { n_inner: 100 }).mlpWidth, 100);
  assert.equal(specOf("gpt2", {}).mlpWidth, 192);
  assert.equal(specOf("gpt2", { scale_attn_weights: false }).attentionScale, 1);
  assert.deepEqual(specOf("llama", { eos_token_id: [2, 7] }).stopTokens, [2, 7]);
});
