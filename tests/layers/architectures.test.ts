import assert from "node:assert/strict";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { openModel, type Model } from "../../layers/model.ts";
import { loadParameter, parameterBlocks } from "../../layers/model-parameters.ts";
import { parameterUses } from "../../layers/parameter-names.ts";
import type { WeightSource } from "../../layers/weight-source.ts";
import { readSafetensorsFile } from "../../layers/weights/safetensors-file.ts";
import { f32, ggufBytes, string, strings, u32, type GgufField, type GgufTensorParts } from "./gguf-bytes.ts";
import { MODEL_NAMES, MODELS_FOLDER } from "./golden-models.ts";
import { entry, safetensorsBytes } from "./safetensors-bytes.ts";
import { scratchFolder } from "./scratch-folder.ts";

const scratch = await scratchFolder();

for (const name of MODEL_NAMES) {
  test(`${name}: the program uses exactly the parameters that are listed, as what they are`, async () => {
    const model = await openModel(path.join(MODELS_FOLDER, name));
    const { spec, program } = model;
    const uses = parameterUses((a) => {
      program.embed(a, spec);
      for (let layer = 0; layer < spec.layers; layer++) {
        program.pre(a, spec, layer, null);
        program.post(a, spec, layer, null, null);
      }
      program.finish(a, spec, null);
      program.logits?.(a, spec, null);
    });
    assert.deepEqual([...uses.keys()].sort(), [...model.parameters.keys()].sort());
    for (const [parameter, use] of uses) {
      assert.equal(model.parameters.get(parameter)!.spec.shape.length, use === "vector" ? 1 : 2, parameter);
    }
    await model.close();
  });
}

/** A copy of a fixture whose checkpoint names are changed; null leaves a tensor out. */
async function renamed(fixture: string, rename: (name: string) => string | null): Promise<string> {
  const folder = path.join(scratch.path, `renamed-${Math.random().toString(36).slice(2)}`);
  await mkdir(folder);
  await cp(path.join(MODELS_FOLDER, fixture, "config.json"), path.join(folder, "config.json"));
  const header: Record<string, unknown> = {};
  const parts: Buffer[] = [];
  let at = 0;
  for (const [name, { data, shape }] of await readSafetensorsFile(
    path.join(MODELS_FOLDER, fixture, "model.safetensors"),
  )) {
    const stored = rename(name);
    if (stored === null) continue;
    header[stored] = entry("F32", shape, at, at + data.byteLength);
    parts.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    at += data.byteLength;
  }
  await writeFile(path.join(folder, "model.safetensors"), safetensorsBytes(header, Buffer.concat(parts)));
  return folder;
}

async function assertSameParameters(got: Model, expected: Model): Promise<void> {
  assert.deepEqual([...got.parameters.keys()], [...expected.parameters.keys()]);
  for (const name of expected.parameters.keys())
    assert.deepEqual(await got.load(name), await expected.load(name), name);
  await Promise.all([got.close(), expected.close()]);
}

test("a checkpoint of the bare model, without the prefix of the wrapped one, is the same model", async () => {
  for (const [fixture, prefix] of [
    ["llama-gqa", "model."],
    ["gpt2", "transformer."],
  ] as const) {
    const bare = await openModel(await renamed(fixture, (name) => name.replace(prefix, "")));
    await assertSameParameters(bare, await openModel(path.join(MODELS_FOLDER, fixture)));
  }
});

test("a wrapped BERT with the names of the first checkpoints is the same model", async () => {
  const old = (name: string): string =>
    `bert.${name}`.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
  await assertSameParameters(
    await openModel(await renamed("bert", old)),
    await openModel(path.join(MODELS_FOLDER, "bert")),
  );
});

test("a checkpoint without a tensor is refused by the tensor's name", async () => {
  const folder = await renamed("llama-gqa", (name) => (name.includes("layers.1.mlp.up") ? null : name));
  await assert.rejects(
    openModel(folder),
    /model\.safetensors: tensor for layers\.1\.up\.weight: expected model\.layers\.1\.mlp\.up_proj\.weight or .*got none/,
  );
});

test("a tensor of another shape than config.json says is refused", async () => {
  const folder = await renamed("llama-gqa", (name) => name);
  const file = path.join(folder, "config.json");
  const config = JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;
  await writeFile(file, JSON.stringify({ ...config, intermediate_size: 150 }));
  await assert.rejects(
    openModel(folder),
    /gate_proj\.weight: expected what gives layers\.0\.gate\.weight \[64, 150\] transposed, got \[160, 64\]/,
  );
});

test("a path that is no model is refused", async () => {
  await assert.rejects(
    openModel(path.join(scratch.path, "nothing")),
    /nothing: model: expected a folder with config\.json, or a \.gguf file, got nothing there/,
  );
  await assert.rejects(openModel(await scratch.write("notes.txt", "x")), /got a file of another kind/);
  await assert.rejects(openModel(scratch.path), /config\.json/);
});

test("matrices load as [in, out] and as [out, in], one the transpose of the other", async () => {
  for (const fixture of ["llama-gqa", "gpt2"]) {
    const model = await openModel(path.join(MODELS_FOLDER, fixture));
    for (const part of ["q", "k", "v", "down"]) {
      const name = `layers.1.${part}.weight`;
      const [inputs, outputs] = model.parameters.get(name)!.spec.shape;
      const [inOut, outIn] = [await model.load(name), await model.load(name, "outIn")];
      const turned = Float32Array.from(
        { length: inOut.length },
        (_, i) => inOut[(i % inputs) * outputs + Math.floor(i / inputs)],
      );
      assert.deepEqual(outIn, turned, name);
    }
    await model.close();
  }
});

test("the blocks of a large matrix are what loading it as a whole gives", async () => {
  const [outputs, inputs, heads] = [1536, 1400, 12];
  const source: WeightSource = {
    format: "gguf",
    files: ["large.gguf"],
    tensors: new Map([["stored", { shape: [outputs, inputs], type: "F32" }]]),
    async readRows(_name, from, to, target) {
      for (let i = 0; i < (to - from) * inputs; i++) target[i] = from * inputs + i;
    },
    close: async () => {},
  };
  for (const ggufInterleavedHeads of [undefined, heads]) {
    const spec = { name: "q", shape: [inputs, outputs], hf: "", gguf: "stored", transposed: true };
    const parameter = {
      spec: ggufInterleavedHeads === undefined ? spec : { ...spec, ggufInterleavedHeads },
      storedName: "stored",
    };
    for (const order of ["inOut", "outIn"] as const) {
      const whole = await loadParameter(source, parameter, order);
      let at = 0;
      let blocks = 0;
      for await (const block of parameterBlocks(source, parameter, order)) {
        assert.deepEqual(block, whole.subarray(at, at + block.length));
        at += block.length;
        blocks++;
      }
      assert.equal(at, whole.length);
      assert.equal(blocks > 1, order === "outIn");
    }
  }
});

test("the fingerprint is the model's: equal for a copy, another for one changed weight or key", async () => {
  const fingerprint = async (folder: string): Promise<string> => {
    const model = await openModel(folder);
    await model.close();
    return model.fingerprint;
  };
  const copy = path.join(scratch.path, "copy");
  await cp(path.join(MODELS_FOLDER, "qwen3"), copy, { recursive: true });
  const original = await fingerprint(path.join(MODELS_FOLDER, "qwen3"));
  assert.match(original, /^[0-9a-f]{64}$/);
  assert.equal(await fingerprint(copy), original);
  const file = path.join(copy, "config.json");
  const config = await readFile(file, "utf8");
  await writeFile(file, config.replace('"rms_norm_eps": 1e-06', '"rms_norm_eps": 1e-05'));
  assert.notEqual(await fingerprint(copy), original);
  await writeFile(file, config);
  assert.equal(await fingerprint(copy), original);
  const weights = await readFile(path.join(copy, "model.safetensors"));
  weights[weights.length - 100] ^= 1;
  await writeFile(path.join(copy, "model.safetensors"), weights);
  assert.notEqual(await fingerprint(copy), original);
});

/** How llama.cpp stores the same checkpoint: its names, q and k of the llama family interleaved, Gemma's gains with the one added. */
const GGUF_METADATA: Readonly<Record<string, Readonly<Record<string, GgufField>>>> = {
  "llama-gqa": { context_length: u32(256), "attention.layer_norm_rms_epsilon": f32(1e-6) },
  "llama-linear-biases": {
    context_length: u32(128),
    "attention.layer_norm_rms_epsilon": f32(1e-6),
    "rope.scaling.type": string("linear"),
    "rope.scaling.factor": f32(4),
  },
  "mistral-window": {
    context_length: u32(256),
    "attention.layer_norm_rms_epsilon": f32(1e-6),
    "attention.sliding_window": u32(12),
  },
  "qwen2-bias": { context_length: u32(256), "attention.layer_norm_rms_epsilon": f32(1e-6) },
  qwen3: {
    context_length: u32(256),
    "attention.layer_norm_rms_epsilon": f32(1e-6),
    "attention.key_length": u32(16),
    "attention.value_length": u32(16),
  },
  gemma2: {
    context_length: u32(256),
    "attention.layer_norm_rms_epsilon": f32(1e-6),
    "attention.key_length": u32(24),
    "attention.value_length": u32(24),
    "attention.sliding_window": u32(16),
    attn_logit_softcapping: f32(5),
    final_logit_softcapping: f32(3),
  },
  gpt2: { context_length: u32(128), "attention.layer_norm_epsilon": f32(1e-5) },
  bert: {
    context_length: u32(128),
    "attention.layer_norm_epsilon": f32(1e-12),
    "attention.causal": { type: 7, bytes: Buffer.of(0) },
  },
};

for (const [fixture, fields] of Object.entries(GGUF_METADATA)) {
  test(`${fixture} stored as llama.cpp does is the same model`, async () => {
    const folder = await openModel(path.join(MODELS_FOLDER, fixture));
    const stored = await openModel(await scratch.write(`${fixture}.gguf`, await asGguf(folder, fields)));
    // A float32 in the metadata isn't the decimal in config.json.
    const rounded = (value: unknown): unknown =>
      JSON.parse(JSON.stringify(value), (_key, inner: unknown) =>
        typeof inner === "number" ? Math.fround(inner) : inner,
      );
    assert.deepEqual(rounded(stored.spec), rounded({ ...folder.spec }));
    await assertSameParameters(stored, folder);
  });
}

test("a GGUF file with a tensor that no parameter takes is refused: it would change the result", async () => {
  const folder = await openModel(path.join(MODELS_FOLDER, "qwen3"));
  const file = await scratch.write("normed-llama.gguf", await asGguf(folder, GGUF_METADATA.qwen3, "llama"));
  await assert.rejects(
    openModel(file),
    /tensor blk\.0\.attn_[qk]_norm\.weight: expected one that this architecture uses/,
  );
  await folder.close();
});

async function asGguf(model: Model, fields: Readonly<Record<string, GgufField>>, as?: string): Promise<Buffer> {
  const { spec } = model;
  const architecture = as ?? (spec.modelType === "mistral" ? "llama" : spec.modelType);
  const common = {
    embedding_length: u32(spec.width),
    block_count: u32(spec.layers),
    "attention.head_count": u32(spec.heads),
    "attention.head_count_kv": u32(spec.kvHeads),
    feed_forward_length: u32(spec.mlpWidth),
  };
  const keyed = Object.entries({ ...common, ...fields }).filter(
    ([key]) => spec.rope !== null || key !== "attention.head_count_kv",
  );
  const metadata: [string, GgufField][] = [
    ["general.architecture", string(architecture)],
    ...keyed.map(([key, field]): [string, GgufField] => [`${architecture}.${key}`, field]),
    ["tokenizer.ggml.tokens", strings(Array.from({ length: spec.vocabulary }, (_, i) => `t${i}`))],
  ];
  const tensors: GgufTensorParts[] = [];
  const fused = new Map<string, { rows: Float32Array[]; shape: number[] }>();
  for (const [name, { spec: parameter }] of model.parameters) {
    const isMatrix = parameter.ggufTransposed ?? parameter.transposed;
    const shape = isMatrix ? parameter.shape.toReversed() : [...parameter.shape];
    const values = interleaved(
      await model.load(name, isMatrix ? "outIn" : "inOut"),
      shape,
      parameter.ggufInterleavedHeads,
    );
    if (parameter.outputs === undefined) {
      tensors.push({ name: parameter.gguf!, shape, type: 0, data: new Uint8Array(values.buffer) });
    } else {
      const known = fused.get(parameter.gguf!) ?? { rows: [], shape: [0, ...shape.slice(1)] };
      fused.set(parameter.gguf!, {
        rows: [...known.rows, values],
        shape: [known.shape[0] + shape[0], ...shape.slice(1)],
      });
    }
  }
  for (const [name, { rows, shape }] of fused) {
    tensors.push({ name, shape, type: 0, data: Buffer.concat(rows.map((part) => new Uint8Array(part.buffer))) });
  }
  return ggufBytes({ metadata, tensors });
}

/** llama.cpp's permute: rows (or elements of a bias) i and i + headDim / 2 of a head go to 2i and 2i + 1. */
function interleaved(values: Float32Array, shape: readonly number[], heads: number | undefined): Float32Array {
  if (heads === undefined) return values;
  const columns = shape[1] ?? 1;
  const headDim = shape[0] / heads;
  const out = new Float32Array(values.length);
  for (let row = 0; row < shape[0]; row++) {
    const [head, i] = [Math.floor(row / headDim), row % headDim];
    const to = head * headDim + (i < headDim / 2 ? 2 * i : 2 * (i - headDim / 2) + 1);
    out.set(values.subarray(row * columns, (row + 1) * columns), to * columns);
  }
  return out;
}
