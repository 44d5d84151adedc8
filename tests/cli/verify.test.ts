/** `weir verify`: exit code and record of a model that is right, and of one that is not what the golden file says. */
import assert from "node:assert/strict";
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
const SHAPE = ["--model", MODEL, "--alpha", "2"];

describe("weir verify", async () => {
  const scratch = await scratchFolder();

  it("accepts a model that runs in processes", async () => {
    const { code, stdout, stderr } = await weir("verify", "--golden", GOLDEN, ...SHAPE, "--place", "processes");
    assert.equal(withoutProgress(stderr), "");
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
      assert.equal(withoutProgress(stderr), "");
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
    const { ok, bytes } = JSON.parse(stdout) as { ok: boolean; bytes: Record<string, number> };
    assert.deepEqual([ok, bytes.payloadBytes], [true, bytes.expectedPayloadBytes]);
  });

  it("exits with 1 where one hidden state of the golden file is 1 % larger", async () => {
    const golden = await readSafetensorsFile(GOLDEN);
    const altered = [...golden.keys()].find((name) => name.endsWith("hidden.1"));
    assert.ok(altered !== undefined, "expected a golden file with a hidden.1");
    const tensors = [...golden].map(([name, { shape, data }]): TensorToWrite => {
      assert.ok(data instanceof Float32Array || data instanceof Int32Array || data instanceof BigInt64Array);
      return { name, shape, data: name === altered ? (data as Float32Array).map((value) => value * 1.01) : data };
    });
    const file = path.join(scratch.path, "altered.safetensors");
    await writeSafetensors(file, tensors);
    const { code, stdout, stderr } = await weir("verify", "--golden", file, ...SHAPE, "--place", "memory");
    assert.equal(withoutProgress(stderr), "");
    const record = verifyRecord.parse(JSON.parse(stdout));
    assert.equal(code, 1);
    assert.equal(record.ok, false);
    assert.ok(record.sharded.maxHiddenError > 1e-3 && record.unsharded.maxHiddenError > 1e-3);
    assert.ok((record.sharded.maxLogitError ?? 0) < 1e-4);
  });
});
