import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { gguf } from "@huggingface/gguf";
import { BLOCK_FORMATS } from "../../layers/weights/ggml-blocks.ts";
import { openGguf } from "../../layers/weights/gguf.ts";
import { decodeBfloat16, decodeFloat16 } from "../../layers/weights/half-floats.ts";
import {
  array,
  bool,
  f32,
  floats,
  ggufBytes,
  int32s,
  string,
  strings,
  u32,
  uint32,
  uint64,
  type GgufField,
} from "./gguf-bytes.ts";
import { scratchFolder } from "./scratch-folder.ts";
import { SMOLLM2_FOLDER, SMOLLM2_MISSING } from "./smollm2-folder.ts";

/** By fixtures/ggml-blocks/make.py: gguf 0.19.0's values of blocks of each type. */
interface Golden {
  readonly types: Readonly<Record<string, { readonly blocks: string; readonly values: string }>>;
  readonly f16: string;
  readonly bf16: string;
  readonly smollm2: Readonly<Record<string, string>>;
}
const golden = JSON.parse(
  readFileSync(path.resolve(import.meta.dirname, "../fixtures/ggml-blocks/golden.json"), "utf8"),
) as Golden;
const scratch = await scratchFolder();

/** SHA-256 of the bits, every NaN as one. */
function digest(values: Float32Array): string {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) if ((bits[i] & 0x7fffffff) > 0x7f800000) bits[i] = 0x7fc00000;
  return createHash("sha256")
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest("hex");
}

const codeOf = (name: string): number => [...BLOCK_FORMATS].find(([, format]) => format.name === name)![0];

for (const [name, { blocks, values }] of Object.entries(golden.types)) {
  test(`${name}: blocks decode to gguf's values, to the bit, whatever rows are asked for`, async () => {
    const data = Buffer.from(blocks, "base64");
    const expected = new Float32Array(Uint8Array.from(Buffer.from(values, "base64")).buffer);
    const { elements, bytes } = BLOCK_FORMATS.get(codeOf(name))!;
    const rows = data.length / bytes;
    assert.equal(rows * elements, expected.length);
    const file = await scratch.write(
      `${name}.gguf`,
      ggufBytes({ tensors: [{ name: "w", shape: [rows, elements], type: codeOf(name), data }] }),
    );
    const source = await openGguf(file);
    assert.deepEqual(source.tensors.get("w"), { shape: [rows, elements], type: name });
    for (const [from, to] of [
      [0, rows],
      [1, 3],
      [rows - 1, rows],
      [2, 2],
    ]) {
      const target = new Float32Array((to - from) * elements);
      await source.readRows("w", from, to, target);
      assert.deepEqual(Buffer.from(target.buffer), Buffer.from(expected.slice(from * elements, to * elements).buffer));
    }
    await source.close();
  });
}

test("F16 and BF16: all 65536 words decode to gguf's values", () => {
  const words = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const target = new Float32Array(65536);
  decodeFloat16(words, target, 0);
  assert.equal(digest(target), golden.f16);
  decodeBfloat16(words, target, 0);
  assert.equal(digest(target), golden.bf16);
});

test("F32, F16 and BF16 tensors are read; a later tensor at its aligned offset", async () => {
  const bytes = ggufBytes({
    metadata: [["general.alignment", u32(64)]],
    alignment: 64,
    tensors: [
      { name: "a", shape: [3], type: 0, data: floats(1, -2, 0.5) },
      { name: "b", shape: [1, 2], type: 1, data: Buffer.of(0x00, 0x3c, 0x00, 0xc0) },
      { name: "c", shape: [2, 1, 1], type: 30, data: Buffer.of(0x80, 0x3f, 0x20, 0xc1) },
    ],
  });
  const source = await openGguf(await scratch.write("plain.gguf", bytes));
  const read = async (name: string, rows: number, elements: number): Promise<number[]> => {
    const target = new Float32Array(elements);
    await source.readRows(name, 0, rows, target);
    return [...target];
  };
  assert.deepEqual(await read("a", 3, 3), [1, -2, 0.5]);
  assert.deepEqual(await read("b", 1, 2), [1, -2]);
  assert.deepEqual(await read("c", 2, 2), [1, -10]);
  await source.close();
});

test(
  "SmolLM2: all 272 tensors decode to gguf's values in less than 2 s of CPU",
  { skip: SMOLLM2_MISSING },
  async () => {
    const source = await openGguf(path.join(SMOLLM2_FOLDER, "model.gguf"));
    assert.equal(source.tensors.size, Object.keys(golden.smollm2).length);
    const scratchpad = new Float32Array(49152 * 576);
    let cpuMicroseconds = 0;
    for (const [name, { shape }] of source.tensors) {
      const target = scratchpad.subarray(
        0,
        shape.reduce((product, size) => product * size, 1),
      );
      const before = process.cpuUsage();
      await source.readRows(name, 0, shape[0], target);
      const { user, system } = process.cpuUsage(before);
      cpuMicroseconds += user + system;
      assert.equal(digest(target), golden.smollm2[name], name);
    }
    assert.ok(cpuMicroseconds < 2_000_000, `decoding: expected less than 2 s of CPU, got ${cpuMicroseconds / 1e6} s`);
    await source.close();
  },
);

/** One key of every type of value that the format has. */
const EVERY_TYPE: readonly (readonly [string, GgufField])[] = [
  ["u8", { type: 0, bytes: Buffer.of(200) }],
  ["i8", { type: 1, bytes: Buffer.of(200) }],
  ["u16", { type: 2, bytes: Buffer.of(1, 2) }],
  ["i16", { type: 3, bytes: Buffer.of(255, 255) }],
  ["u32", u32(4_000_000_000)],
  ["i32", { type: 5, bytes: uint32(4_294_967_295) }],
  ["f32", f32(0.25)],
  ["bool", bool(true)],
  ["text", string("naïve ∑ 😀\0\n")],
  ["u64", { type: 10, bytes: uint64(2n ** 63n) }],
  ["i64", { type: 11, bytes: uint64(5) }],
  ["f64", { type: 12, bytes: Buffer.from(Float64Array.of(Math.PI).buffer) }],
  ["texts", strings(["", "a", "é"])],
  ["ints", int32s([1, 2, 3])],
  ["bytes", array(0, [Buffer.of(1), Buffer.of(255)])],
  ["bools", array(7, [Buffer.of(1), Buffer.of(0)])],
  ["none", strings([])],
];

const plain = (value: unknown): unknown => (ArrayBuffer.isView(value) ? Array.from(value as Uint8Array) : value);

test("metadata of every type, and an independent parser agrees on it", async () => {
  const file = await scratch.write(
    "types.gguf",
    ggufBytes({ metadata: EVERY_TYPE, tensors: [{ name: "w", shape: [1], type: 0, data: floats(1) }] }),
  );
  const source = await openGguf(file);
  assert.deepEqual(Object.fromEntries([...source.metadata].map(([key, value]) => [key, plain(value)])), {
    u8: 200,
    i8: -56,
    u16: 513,
    i16: -1,
    u32: 4_000_000_000,
    i32: -1,
    f32: 0.25,
    bool: true,
    text: "naïve ∑ 😀\0\n",
    u64: 2n ** 63n,
    i64: 5,
    f64: Math.PI,
    texts: ["", "a", "é"],
    ints: [1, 2, 3],
    bytes: [1, 255],
    bools: [true, false],
    none: [],
  });
  await agreesWithHuggingFace(file);
  await source.close();
});

test("an independent parser agrees on SmolLM2's header", { skip: SMOLLM2_MISSING }, () =>
  agreesWithHuggingFace(path.join(SMOLLM2_FOLDER, "model.gguf")),
);

/** Every key and tensor as @huggingface/gguf has them. */
async function agreesWithHuggingFace(file: string): Promise<void> {
  const source = await openGguf(file);
  const theirs = await gguf(file, { allowLocalFile: true });
  const { version: _v, tensor_count: _t, kv_count: _k, ...metadata } = theirs.metadata as Record<string, unknown>;
  const narrow = (value: unknown): unknown => (typeof value === "bigint" && value < 2n ** 53n ? Number(value) : value);
  assert.deepEqual(
    new Map([...source.metadata].map(([key, value]) => [key, plain(value)])),
    new Map(Object.entries(metadata).map(([key, value]) => [key, narrow(value)])),
  );
  assert.deepEqual(
    new Map([...source.tensors].map(([name, { shape, type }]) => [name, [shape.toReversed(), codeOf(type)]])),
    new Map(theirs.tensorInfos.map(({ name, shape, dtype }) => [name, [shape.map(Number), dtype]])),
  );
  await source.close();
}
