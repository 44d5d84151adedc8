import assert from "node:assert/strict";
import { cp, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { ModelFileError } from "../../layers/model-file-error.ts";
import { parameterBlocks } from "../../layers/model-parameters.ts";
import { openModel, type Model } from "../../layers/model.ts";
import { prepareWeights } from "../../layers/onnx/weight-file.ts";
import { BLOCK_FORMATS } from "../../layers/weights/ggml-blocks.ts";
import { readFiniteRows } from "../../layers/weights/finite-rows.ts";
import { openGguf } from "../../layers/weights/gguf.ts";
import { openSafetensors } from "../../layers/weights/safetensors.ts";
import { floats, ggufBytes } from "./gguf-bytes.ts";
import { entry, safetensorsBytes } from "./safetensors-bytes.ts";
import { scratchFolder } from "./scratch-folder.ts";

const MODELS = path.resolve(import.meta.dirname, "../fixtures/models");
const scratch = await scratchFolder();
const ADVICE = "; the checkpoint is damaged, or a value grew too large when it was converted: take another one";

/** A copy of a fixture whose tensor has this value at the element. */
async function spoilt(model: string, tensor: string, element: number, value: number): Promise<string> {
  const folder = path.join(scratch.path, `${model}-${Math.random()}`);
  await cp(path.join(MODELS, model), folder, { recursive: true });
  const file = path.join(folder, "model.safetensors");
  const bytes = await readFile(file);
  const header = Number(bytes.readBigUInt64LE(0));
  const entries = JSON.parse(bytes.subarray(8, 8 + header).toString()) as Record<string, { data_offsets: number[] }>;
  bytes.writeFloatLE(value, 8 + header + entries[tensor].data_offsets[0] + 4 * element);
  await writeFile(file, bytes);
  return folder;
}

/** Tries to read a model's weights in each of the ways that there are; gives what each said. */
async function readings(model: Model): Promise<string[]> {
  const said: string[] = [];
  const attempt = async (read: () => Promise<unknown>): Promise<void> => {
    await assert.rejects(read, (error) => {
      assert.ok(error instanceof ModelFileError, String(error));
      said.push(error.message);
      return true;
    });
  };
  await attempt(async () => {
    for (const name of model.parameters.keys()) await model.load(name);
  });
  await attempt(async () => {
    for (const name of model.parameters.keys()) await model.load(name, "outIn");
  });
  await attempt(async () => {
    for (const parameter of model.parameters.values())
      for await (const block of parameterBlocks(model.source, parameter, "outIn")) assert.ok(block.length > 0);
  });
  await attempt(() => prepareWeights(model));
  return said;
}

// Columns: llama's up_proj 64, gpt2's c_attn (q, k and v in one, stored turned) 3 x 32; norms have one dimension.
for (const [fixture, tensor, element, value, place] of [
  ["llama-gqa", "model.layers.1.mlp.up_proj.weight", 12 * 64 + 7, NaN, "NaN at [12, 7]"],
  ["llama-gqa", "model.norm.weight", 5, Infinity, "Infinity at [5]"],
  ["llama-gqa", "model.embed_tokens.weight", 255 * 64 + 63, -Infinity, "-Infinity at [255, 63]"],
  ["gpt2", "transformer.h.0.attn.c_attn.weight", 1, NaN, "NaN at [0, 1]"],
] as const) {
  test(`${fixture}: ${place} of ${tensor} is named, however weights are read`, async () => {
    const folder = await spoilt(fixture, tensor, element, value);
    const model = await openModel(folder);
    const expected = `${path.join(folder, "model.safetensors")}: tensor ${tensor}: expected finite values, got ${place}${ADVICE}`;
    assert.deepEqual(await readings(model), [expected, expected, expected, expected]);
    await model.close();
  });
}

test("a model of finite values is read in each of these ways", async () => {
  const model = await openModel(path.join(MODELS, "llama-gqa"));
  for (const name of model.parameters.keys()) assert.ok((await model.load(name)).every(Number.isFinite));
  await prepareWeights(model);
  await model.close();
});

test("F16 and BF16: infinities and what is no number; the largest values are finite", async () => {
  for (const [type, bad, shown, good] of [
    ["F16", 0x7c00, "Infinity", 0x7bff],
    ["F16", 0xfe01, "NaN", 0xfbff],
    ["BF16", 0xff80, "-Infinity", 0xff7f],
    ["BF16", 0x7fc0, "NaN", 0x0001],
  ] as const) {
    const words = Uint16Array.of(0, good, good, 0, bad, 0);
    const file = await scratch.write(
      "half.safetensors",
      safetensorsBytes({ w: entry(type, [3, 2], 0, 12) }, new Uint8Array(words.buffer)),
    );
    const source = await openSafetensors(file);
    await readFiniteRows(source, "w", 0, 2, new Float32Array(4));
    await assert.rejects(readFiniteRows(source, "w", 1, 3, new Float32Array(4)), {
      message: `${file}: tensor w: expected finite values, got ${shown} at [2, 0]${ADVICE}`,
    });
    await source.close();
  }
});

test("shards: the folder and the tensor", async () => {
  const one = safetensorsBytes({ a: entry("F32", [1], 0, 4) }, floats(1));
  const two = safetensorsBytes({ b: entry("F32", [2], 0, 8) }, floats(1, NaN));
  await scratch.write("model-1.safetensors", one);
  await scratch.write("model-2.safetensors", two);
  const map = { a: "model-1.safetensors", b: "model-2.safetensors" };
  await scratch.write("model.safetensors.index.json", JSON.stringify({ weight_map: map }));
  const source = await openSafetensors(scratch.path);
  await assert.rejects(readFiniteRows(source, "b", 0, 2, new Float32Array(2)), {
    message: `${scratch.path}: tensor b: expected finite values, got NaN at [1]${ADVICE}`,
  });
  await source.close();
});

test("GGUF: a value of F32, and a block of every other type whose scale isn't finite", async () => {
  for (const [code, { name, elements, bytes }] of BLOCK_FORMATS) {
    const data = Buffer.alloc(4 * bytes);
    // All ones: no number as F32 and as any half float, so in a block's scale wherever a type has it.
    data.fill(0xff, 2 * bytes, 3 * bytes);
    const shape = [4, elements];
    const file = await scratch.write(`${name}.gguf`, ggufBytes({ tensors: [{ name: "w", shape, type: code, data }] }));
    const source = await openGguf(file);
    await readFiniteRows(source, "w", 0, 2, new Float32Array(2 * elements));
    await assert.rejects(readFiniteRows(source, "w", 1, 4, new Float32Array(3 * elements)), (error) => {
      assert.ok(error instanceof ModelFileError, name);
      assert.match(error.message, /\.gguf: tensor w: expected finite values, got (NaN|-?Infinity) at \[2, 0\]; /, name);
      return true;
    });
    await source.close();
  }
});
