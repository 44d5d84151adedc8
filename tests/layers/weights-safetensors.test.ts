import assert from "node:assert/strict";
import { cp, mkdir, readdir, rm, symlink, truncate } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { ModelFileError } from "../../layers/model-file-error.ts";
import { openModelFile } from "../../layers/weights/byte-range.ts";
import { float32Of, integersOf, readSafetensorsFile } from "../../layers/weights/safetensors-file.ts";
import { readSafetensorsHeader } from "../../layers/weights/safetensors-header.ts";
import { openSafetensors } from "../../layers/weights/safetensors.ts";
import {
  createSafetensorsWriter,
  writeSafetensors,
  type TensorToWrite,
} from "../../layers/weights/safetensors-writer.ts";
import type { WeightSource } from "../../layers/weight-source.ts";
import { entry, safetensorsBytes } from "./safetensors-bytes.ts";
import { NO_FULL_DEVICE } from "./full-device.ts";
import { scratchFolder } from "./scratch-folder.ts";

const MODELS = path.resolve(import.meta.dirname, "../fixtures/models");
const scratch = await scratchFolder();

async function readAll(source: WeightSource, name: string): Promise<Float32Array> {
  const { shape } = source.tensors.get(name)!;
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
  await source.readRows(name, 0, shape[0], values);
  return values;
}

test("a folder's model.safetensors: every tensor, by rows, equals the file read whole", async () => {
  const source = await openSafetensors(path.join(MODELS, "gpt2"));
  const whole = await readSafetensorsFile(path.join(MODELS, "gpt2/model.safetensors"));
  assert.equal(source.format, "safetensors");
  assert.deepEqual(source.files, [path.join(MODELS, "gpt2/model.safetensors")]);
  assert.deepEqual([...source.tensors.keys()].sort(), [...whole.keys()].sort());
  for (const [name, { shape, type }] of source.tensors) {
    assert.equal(type, "F32");
    assert.deepEqual(await readAll(source, name), float32Of(whole, name));
    const columns = shape.slice(1).reduce((product, size) => product * size, 1);
    const [from, to] = [shape[0] >> 1, (shape[0] >> 1) + 1];
    const row = new Float32Array(columns);
    await source.readRows(name, from, to, row);
    assert.deepEqual(row, float32Of(whole, name).subarray(from * columns, to * columns));
  }
  await source.close();
});

test("golden files: token ids are integers, hidden states float32", async () => {
  const golden = await readSafetensorsFile(path.join(MODELS, "llama-gqa/golden.safetensors"));
  const ids = integersOf(golden, "input_ids");
  assert.equal(ids.length, 45);
  assert.ok(ids.every((id) => id >= 0 && id < 256));
  assert.equal(float32Of(golden, "hidden.0").length, 45 * 64);
  assert.throws(() => float32Of(golden, "input_ids"), /expected float32 values, got I64/);
  assert.throws(() => integersOf(golden, "nothing"), /got none of that name/);
});

test("F16 and BF16 are decoded exactly, over more than one staging buffer", async () => {
  const rows = 600_001;
  const words = Uint16Array.from({ length: rows * 2 }, (_, i) => (i % 2 === 0 ? 0x3555 : 0xc248));
  const header = { half: entry("F16", [rows, 2], 0, rows * 4), brain: entry("BF16", [rows, 2], rows * 4, rows * 8) };
  const data = Buffer.concat([Buffer.from(words.buffer), Buffer.from(words.buffer)]);
  const source = await openSafetensors(await scratch.write("halves.safetensors", safetensorsBytes(header, data)));
  // 0x3555 is (1 + 341/1024) 2^-2 in binary16 and (1 + 85/128) 2^-21 in bfloat16; 0xc248 is -(1 + 584/1024) 2 and -(1 + 72/128) 2^5.
  const expected = { half: [0.333251953125, -3.140625], brain: [(1 + 85 / 128) * 2 ** -21, -50] };
  for (const [name, pair] of Object.entries(expected)) {
    const values = await readAll(source, name);
    assert.ok(values.every((value, i) => value === pair[i % 2]));
  }
  await source.close();
});

test("shards by index.json make one source; a read into part of a larger array stays in that part", async () => {
  const folder = path.join(scratch.path, "sharded");
  await mkdir(folder);
  await writeSafetensors(path.join(folder, "a.safetensors"), [
    { name: "x", shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
  ]);
  await writeSafetensors(path.join(folder, "b.safetensors"), [
    { name: "y", shape: [3], data: Float32Array.of(5, 6, 7) },
  ]);
  const index = { metadata: { total_size: 28 }, weight_map: { y: "b.safetensors", x: "a.safetensors" } };
  await scratch.write("sharded/model.safetensors.index.json", JSON.stringify(index));
  const source = await openSafetensors(folder);
  assert.deepEqual(source.files.map((file) => path.basename(file)).sort(), ["a.safetensors", "b.safetensors"]);
  const target = new Float32Array(6).fill(-1);
  await source.readRows("x", 1, 2, target.subarray(1, 3));
  await source.readRows("y", 0, 2, target.subarray(3, 5));
  assert.deepEqual([...target], [-1, 3, 4, 5, 6, -1]);
  await source.close();
});

test("a source refuses rows it lacks, tensors it lacks, targets that don't fit, and types that are no weights", async () => {
  const file = path.join(scratch.path, "kinds.safetensors");
  await writeSafetensors(file, [
    { name: "ids", shape: [2], data: Int32Array.of(1, 2) },
    { name: "w", shape: [2, 3], data: new Float32Array(6) },
  ]);
  const source = await openSafetensors(file);
  await assert.rejects(async () => source.readRows("v", 0, 1, new Float32Array(3)), /expected tensor "v", got none/);
  await assert.rejects(
    async () => source.readRows("w", 1, 3, new Float32Array(6)),
    /expected rows within \[0, 2\), got \[1, 3\)/,
  );
  await assert.rejects(
    async () => source.readRows("w", 0, 2, new Float32Array(5)),
    /expected a target of 6 elements, got 5/,
  );
  await assert.rejects(
    async () => source.readRows("ids", 0, 2, new Float32Array(2)),
    /expected weights of F32, F16 or BF16, got I32/,
  );
  await source.close();
});

test("a file that shrinks after it was opened gives an error, not zeros", async () => {
  const file = path.join(scratch.path, "shrinks.safetensors");
  await cp(path.join(MODELS, "gpt2/model.safetensors"), file);
  const source = await openSafetensors(file);
  await truncate(file, 10_000);
  const [name] = [...source.tensors.keys()].slice(-1);
  await assert.rejects(
    readAll(source, name),
    (error) => error instanceof ModelFileError && /truncated/.test(error.message),
  );
  await source.close();
});

const numbers = fc.oneof(
  fc.float32Array({ minLength: 0, maxLength: 12 }),
  fc.float64Array({ minLength: 0, maxLength: 12 }),
  fc.int32Array({ minLength: 0, maxLength: 12 }),
  fc.bigInt64Array({ minLength: 0, maxLength: 12 }),
);

test("what the writer writes, the reader reads: any names, types, order and metadata", async () => {
  const tensors = fc.uniqueArray(fc.tuple(fc.string({ unit: "binary" }), numbers), {
    selector: ([name]) => name,
    maxLength: 8,
  });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(tensors, fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }), async (entries, metadata) => {
      const file = path.join(scratch.path, `written-${run++}.safetensors`);
      // That name is the format's own.
      const written = entries
        .filter(([name]) => name !== "__metadata__")
        .map(([name, data]): TensorToWrite => ({ name, shape: [data.length], data }));
      await writeSafetensors(file, written, metadata);
      const read = await readSafetensorsFile(file);
      assert.equal(read.size, written.length);
      const opened = await openModelFile(file);
      assert.deepEqual(new Map(Object.entries(metadata)), (await readSafetensorsHeader(opened)).metadata);
      await opened.close();
      for (const { name, shape, data } of written) {
        const found = read.get(name)!;
        assert.deepEqual(found.shape, shape);
        assert.deepEqual(found.data, data);
      }
    }),
    { numRuns: 60, ...(process.env.FC_SEED ? { seed: Number(process.env.FC_SEED) } : {}) },
  );
});

test("the writer refuses a shape that doesn't fit and a name used twice; until it is closed there is no file", async () => {
  const file = path.join(scratch.path, "unfinished.safetensors");
  const writer = await createSafetensorsWriter(file);
  await writer.append({ name: "a", shape: [2], data: Float32Array.of(1, 2) });
  await assert.rejects(
    writer.append({ name: "a", shape: [1], data: Float32Array.of(1) }),
    /expected a name that isn't used yet/,
  );
  await assert.rejects(
    writer.append({ name: "b", shape: [3], data: Float32Array.of(1) }),
    /expected 3 elements for \[3\], got 1/,
  );
  await assert.rejects(readSafetensorsFile(file), /expected a file, got none there/);
  await writer.close();
  assert.deepEqual([...(await readSafetensorsFile(file)).keys()], ["a"]);
});

test("the writer leaves nothing where the disk is full, or the folder is gone", { skip: NO_FULL_DEVICE }, async () => {
  const folder = path.join(scratch.path, "full");
  await mkdir(folder);
  const file = path.join(folder, "a.safetensors");
  // Data of 4-byte words waits in this file.
  await symlink("/dev/full", `${file}.words4.partial`);
  const writer = await createSafetensorsWriter(file);
  await assert.rejects(writer.append({ name: "a", shape: [1], data: Float32Array.of(1) }), { code: "ENOSPC" });
  await writer.abandon();
  assert.deepEqual(await readdir(folder), []);

  await symlink("/dev/full", `${file}.partial`);
  const late = await createSafetensorsWriter(file);
  await late.append({ name: "a", shape: [1], data: Float32Array.of(1) });
  await assert.rejects(late.close(), { code: "ENOSPC" });
  assert.deepEqual(await readdir(folder), []);

  await symlink("/dev/full", `${file}.words4.partial`);
  await assert.rejects(writeSafetensors(file, [{ name: "a", shape: [1], data: Float32Array.of(1) }]), {
    code: "ENOSPC",
  });
  assert.deepEqual(await readdir(folder), []);

  const gone = await createSafetensorsWriter(file);
  await rm(folder, { recursive: true });
  await assert.rejects(gone.close(), { code: "ENOENT" });
});
