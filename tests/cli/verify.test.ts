/** `weir verify`: exit code and record of a model that is right, and of one that is not what the golden file says. */
import assert from "node:assert/strict";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { verifyRecord } from "../../experiments/verify/verify-record.ts";
import { readSafetensorsFile } from "../../layers/weights/safetensors-file.ts";
import { writeSafetensors, type TensorToWrite } from "../../layers/weights/safetensors-writer.ts";
import { scratchFolder } from "../layers/scratch-folder.ts";
import { weir, withoutProgress } from "./weir-command.ts";

const MODEL = fileURLToPath(new URL("../fixtures/models/llama-linear-biases", import.meta.url));
const GOLDEN = path.join(MODEL, "golden.safetensors");
const SHAPE = ["--model", MODEL, "--alpha", "2", "--json"];
const BERT = fileURLToPath(new URL("../fixtures/models/bert", import.meta.url));

describe("weir verify", async () => {
  const scratch = await scratchFolder();

  /** A copy of a tensor file in which one tensor is changed. */
  async function changed(
    file: string,
    to: string,
    name: string,
    change: (value: number, at: number) => number,
  ): Promise<void> {
    const tensors = [...(await readSafetensorsFile(file))].map(([each, { shape, data }]): TensorToWrite => {
      assert.ok(data instanceof Float32Array || data instanceof Int32Array || data instanceof BigInt64Array);
      return { name: each, shape, data: each === name ? (data as Float32Array).map(change) : data };
    });
    assert.ok(
      tensors.some((tensor) => tensor.name === name),
      `expected a tensor ${name}`,
    );
    await writeSafetensors(to, tensors);
  }

  /** The model with one tensor changed. */
  async function modelWith(
    label: string,
    name: string,
    change: (value: number, at: number) => number,
  ): Promise<string> {
    const folder = path.join(scratch.path, label);
    await mkdir(folder);
    await copyFile(path.join(MODEL, "config.json"), path.join(folder, "config.json"));
    await changed(path.join(MODEL, "model.safetensors"), path.join(folder, "model.safetensors"), name, change);
    return folder;
  }

  it("accepts a model that runs in processes", async () => {
    const { code, stdout, stderr } = await weir("verify", "--golden", GOLDEN, ...SHAPE, "--place", "processes");
    assert.deepEqual(withoutProgress(stderr), [""]);
    const record = verifyRecord.parse(JSON.parse(stdout));
    assert.equal(code, 0);
    assert.ok(record.ok);
    assert.equal(record.shape.place, "processes");
    assert.equal(record.bytes.payloadBytes, record.bytes.expectedPayloadBytes);
  });

  it("measures the error of float16 on the wire, which the default tolerance refuses and a wider one takes", async () => {
    const flags = ["verify", "--golden", GOLDEN, ...SHAPE, "--place", "memory", "--wire", "float16"];
    for (const [more, exit] of [
      [[], 1],
      [["--tolerance", "0.01"], 0],
    ] as const) {
      const { code, stdout, stderr } = await weir(...flags, ...more);
      assert.deepEqual(withoutProgress(stderr), [""]);
      const { ok, shape, sharded, unsharded, bytes } = verifyRecord.parse(JSON.parse(stdout));
      assert.equal(code, exit);
      assert.equal(ok, exit === 0);
      assert.equal(shape.wire, "float16");
      assert.ok(unsharded.maxHiddenRelativeError < 1e-5);
      assert.ok(sharded.maxHiddenRelativeError > 1e-4, String(sharded.maxHiddenRelativeError));
      assert.equal(bytes.payloadBytes, bytes.expectedPayloadBytes);
    }
  });

  it("keeps to the tolerance with a masked merge", async () => {
    const flags = ["verify", "--golden", GOLDEN, ...SHAPE, "--place", "memory", "--merge", "masked"];
    const { code, stdout, stderr } = await weir(...flags);
    assert.equal(code, 0, stderr);
    assert.equal(stderr, "");
    const { ok, bytes } = JSON.parse(stdout) as { ok: boolean; bytes: Record<string, number> };
    assert.deepEqual([ok, bytes.payloadBytes], [true, bytes.expectedPayloadBytes]);
  });

  it("says which rope_theta it takes where config.json has none, and names the tensor and place of a NaN", async () => {
    const tensor = "model.layers.1.mlp.up_proj.weight"; // [64, 32]
    const folder = await modelWith("spoilt", tensor, (value, at) => (at === 12 * 32 + 7 ? NaN : value));
    const { rope_parameters: _, ...config } = JSON.parse(await readFile(path.join(MODEL, "config.json"), "utf8")) as {
      rope_parameters: unknown;
    };
    await writeFile(path.join(folder, "config.json"), JSON.stringify(config));
    const shape = ["--model", folder, "--alpha", "2", "--place", "memory"];
    const { code, stdout, stderr } = await weir("verify", "--golden", GOLDEN, ...shape);
    assert.deepEqual([code, stdout], [1, ""]);
    const [warning, error] = withoutProgress(stderr);
    assert.match(warning, /^warning: .*config\.json: rope_theta: expected one, got none; 10000 is taken/);
    const file = path.join(folder, "model.safetensors");
    const expected = `weir: ${file}: tensor ${tensor}: expected finite values, got NaN at [12, 7]; the checkpoint is`;
    assert.ok(error.startsWith(expected), stderr);
  });

  it("exits with 1 where one hidden state of the golden file is 1 % larger", async () => {
    const golden = await readSafetensorsFile(GOLDEN);
    const altered = [...golden.keys()].find((name) => name.endsWith("hidden.1"));
    assert.ok(altered !== undefined, "expected a golden file with a hidden.1");
    const file = path.join(scratch.path, "altered.safetensors");
    await changed(GOLDEN, file, altered, (value) => value * 1.01);
    const { code, stdout, stderr } = await weir("verify", "--golden", file, ...SHAPE, "--place", "memory");
    assert.deepEqual(withoutProgress(stderr), [""]);
    const record = verifyRecord.parse(JSON.parse(stdout));
    assert.equal(code, 1);
    assert.equal(record.ok, false);
    assert.ok(record.sharded.maxHiddenError > 1e-3 && record.unsharded.maxHiddenError > 1e-3);
    assert.ok((record.sharded.maxLogitError ?? 0) < 1e-4);
  });

  for (const [layers, seen] of [
    ["all", [3]],
    ["0,2", [1, 2, 3]],
  ] as const)
    it(`compares an encoder with layers ${layers} under SMPC`, async () => {
      const golden = path.join(BERT, "golden.safetensors");
      const flags = ["verify", "--json", "--model", BERT, "--golden", golden, "--place", "memory"];
      const { code, stdout, stderr } = await weir(...flags, "--smpc-layers", layers, "--alpha", "2");
      assert.equal(stderr, "");
      const { ok, sharded, unsharded, smpc, bytes, tolerance, shardedTolerance } = verifyRecord.parse(
        JSON.parse(stdout),
      );
      assert.equal(code, 0);
      assert.ok(ok);
      assert.deepEqual([tolerance, shardedTolerance], [1e-4, 2e-2]);
      assert.deepEqual([unsharded.hiddenStates, sharded.hiddenStates], [[0, 1, 2, 3], seen]);
      assert.ok(sharded.maxHiddenError <= 2e-2, String(sharded.maxHiddenError));
      // Fixed point leaves its own error, far above float32's: it was the shares that computed.
      assert.ok(sharded.maxHiddenRelativeError > 1e-5, String(sharded.maxHiddenRelativeError));
      assert.deepEqual([smpc?.parties, smpc?.failedRows], [2, 0]);
      assert.equal(bytes.payloadBytes, bytes.expectedPayloadBytes);
      assert.equal(bytes.rounds, bytes.expectedRounds);
    });

  it("exits with 1 where rows under SMPC are 5 % off the golden file's", async () => {
    const file = path.join(scratch.path, "bert.safetensors");
    await changed(path.join(BERT, "golden.safetensors"), file, "hidden.3", (value) => value * 1.05);
    const flags = ["verify", "--json", "--model", BERT, "--golden", file, "--place", "memory", "--smpc-layers", "all"];
    const { code, stdout } = await weir(...flags, "--tolerance", "0.04");
    const { ok, sharded, tolerance, shardedTolerance } = verifyRecord.parse(JSON.parse(stdout));
    assert.deepEqual([code, ok, tolerance, shardedTolerance], [1, false, 0.04, 0.04]);
    assert.ok(sharded.maxHiddenRelativeError > 0.04 && sharded.maxHiddenRelativeError < 0.06);
  });

  it("names value, message, layer and remedy where float16 on the wire can't hold a row", async () => {
    const model = await modelWith("large", "model.layers.1.mlp.down_proj.weight", (value) => value * 1e7);
    const flags = ["verify", "--model", model, "--golden", GOLDEN, "--place", "memory", "--alpha", "2"];
    const { code, stdout, stderr } = await weir(...flags, "--wire", "float16", "--json");
    assert.match(
      stderr,
      /^weir: comp\.\d: message hidden to client, step 0: expected values within 65504, the largest of float16, got one beyond; use --wire float32\n$/,
    );
    assert.equal(code, 1);
    assert.match((JSON.parse(stdout) as { error: { message: string } }).error.message, /use --wire float32$/);
  });

  it("blames the model, not the parties, for values beyond float32 and for weights that are no numbers", async () => {
    for (const [label, change, said] of [
      ["beyond", () => 3e38, /^weir: model beyond: expected finite values, got .* in hidden\.1 .*layer 0/],
      [
        "nan",
        (value: number, at: number) => (at === 5 ? NaN : value),
        /^weir: .*(model nan|down_proj\.weight): expected .*NaN/,
      ],
    ] as const) {
      const model = await modelWith(label, "model.layers.0.mlp.down_proj.weight", change);
      const flags = ["verify", "--model", model, "--golden", GOLDEN, "--place", "memory", "--json"];
      const { code, stderr } = await weir(...flags);
      assert.match(stderr, said);
      assert.doesNotMatch(stderr, /views/);
      assert.equal(code, 1);
    }
  });
});
