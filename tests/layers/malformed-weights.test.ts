import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { openGguf } from "../../layers/weights/gguf.ts";
import { openSafetensors } from "../../layers/weights/safetensors.ts";
import {
  array,
  floats,
  ggufBytes,
  string,
  strings,
  text,
  u32,
  uint32,
  uint64,
  type GgufTensorParts,
} from "./gguf-bytes.ts";
import { assertRefused } from "./refusal.ts";
import { entry, safetensorsBytes } from "./safetensors-bytes.ts";
import { scratchFolder } from "./scratch-folder.ts";

const scratch = await scratchFolder();

type Case = readonly [fault: string, bytes: Uint8Array | string, expected: RegExp];

const DATA = Buffer.alloc(16);
const one = (entry: unknown): Buffer => safetensorsBytes({ a: entry }, DATA);
const GOOD = safetensorsBytes({ a: entry("F32", [4], 0, 16) }, DATA);

const SAFETENSORS: readonly Case[] = [
  ["an empty file", "", /expected a header length of 8 bytes, got a file of 0/],
  ["seven bytes", "1234567", /expected a header length of 8 bytes, got a file of 7/],
  [
    "a header of 2^63 bytes",
    safetensorsBytes({}, DATA, 2n ** 63n),
    /expected a length of 2 to \d+ bytes, got 9223372036854775808/,
  ],
  ["a header longer than the file", safetensorsBytes({}, DATA, 19n), /expected a length of 2 to 18 bytes, got 19/],
  ["a header of no bytes", safetensorsBytes({}, DATA, 0n), /expected a length of 2/],
  ["a header that isn't UTF-8", safetensorsBytes("\u00e9", DATA, 2n).fill(0xff, 8, 10), /expected UTF-8/],
  [
    "a header that isn't JSON",
    safetensorsBytes('{"a":\n {},}', DATA),
    /JSON at line 2, column 5: expected a key in quotation marks, got "}"/,
  ],
  ["a header that is an array", safetensorsBytes([], DATA), /expected an object, got "\[\]"/],
  [
    "a header of ten thousand brackets",
    safetensorsBytes("[".repeat(10_000), DATA),
    /column 65: expected at most 64 levels/,
  ],
  [
    "a header with 16 MB of spaces and no more",
    safetensorsBytes(" ".repeat(16 << 20), DATA),
    /expected a value, got the end of the file/,
  ],
  [
    "a tensor named twice",
    safetensorsBytes('{"a":{},"\\u0061":{}}', DATA),
    /column 9: expected every key once in an object/,
  ],
  ["a tensor that is a number", one(1), /"a": expected an object, got 1/],
  ["a type that isn't known", one(entry("F5", [4], 0, 16)), /"a": expected a dtype of BOOL, .*, got "F5"/],
  ["no type", one({ shape: [4], data_offsets: [0, 16] }), /"a": expected a dtype of .*, got nothing/],
  ["a negative size", one(entry("F32", [-4], 0, 16)), /"a": expected a shape .*, got \[-4\]/],
  ["a size that isn't whole", one(entry("F32", [4.5], 0, 18)), /"a": expected a shape .*, got \[4.5\]/],
  ["a size of 2^53", one(entry("F32", [2 ** 53], 0, 16)), /"a": expected a shape of .* below 2\^53/],
  ["a shape that is text", one(entry("F32", "4", 0, 16)), /"a": expected a shape .*, got "4"/],
  ["nine dimensions", one(entry("F32", [1, 1, 1, 1, 1, 1, 1, 1, 4], 0, 16)), /at most 8 sizes/],
  [
    "a shape of more than its bytes",
    one(entry("F32", [5], 0, 16)),
    /"a": expected 20 bytes for F32 \[5\], got a range of 16/,
  ],
  ["a shape that overflows", one(entry("F32", [2 ** 52, 2 ** 52], 0, 16)), /"a": expected \S+ bytes for F32/],
  ["offsets in reverse", one(entry("F32", [4], 16, 0)), /"a": expected data_offsets \[begin, end\] with begin <= end/],
  ["an offset of 2^53", one(entry("F32", [4], 0, 2 ** 53)), /"a": expected data_offsets .* below 2\^53/],
  ["an offset of null", one(entry("F32", [4], null, 16)), /"a": expected data_offsets .*, got \[null,16\]/],
  [
    "a field that isn't known",
    one({ ...entry("F32", [4], 0, 16), x: 1 }),
    /"a": expected dtype, shape and data_offsets, got "x" too/,
  ],
  [
    "tensors that overlap",
    safetensorsBytes({ a: entry("F32", [3], 0, 12), b: entry("F32", [2], 8, 16) }, DATA),
    /"b" overlaps the tensor before it: expected data at 12, got 8/,
  ],
  [
    "a gap between tensors",
    safetensorsBytes({ b: entry("F32", [1], 12, 16), a: entry("F32", [2], 0, 8) }, DATA),
    /"b" leaves a gap before it: expected data at 8, got 12/,
  ],
  ["a gap at the start", one(entry("F32", [3], 4, 16)), /"a" leaves a gap before it: expected data at 0, got 4/],
  ["data cut off", GOOD.subarray(0, GOOD.length - 1), /expected \d+ bytes by the header, got \d+; truncated/],
  [
    "bytes after the data",
    Buffer.concat([GOOD, Buffer.of(0)]),
    /expected \d+ bytes by the header, got \d+; trailing bytes/,
  ],
  [
    "metadata that isn't text",
    safetensorsBytes({ __metadata__: { a: 1 } }, Buffer.alloc(0)),
    /__metadata__."a": expected a string, got number/,
  ],
];

for (const [i, [fault, bytes, expected]] of SAFETENSORS.entries()) {
  test(`safetensors: ${fault}`, async () => {
    const file = await scratch.write(`case-${i}.safetensors`, bytes);
    await assertRefused(() => openSafetensors(file), `case-${i}.safetensors`, expected);
  });
}

const INDEX = "model.safetensors.index.json";
const INDEXES: readonly Case[] = [
  ["a list", "[]", /expected an object/],
  ["no weight_map", "{}", /weight_map: expected an object of tensor names, got nothing/],
  ["an empty weight_map", '{"weight_map":{}}', /weight_map: expected an object of tensor names, got \{\}/],
  [
    "a file out of the folder",
    '{"weight_map":{"a":"../good.safetensors"}}',
    /"a": expected the name of a .safetensors file in the folder, got "..\/good/,
  ],
  ["an absolute path", '{"weight_map":{"a":"/good.safetensors"}}', /"a": expected the name of a .safetensors file/],
  [
    "a file that is a number",
    '{"weight_map":{"a":7}}',
    /"a": expected the name of a .safetensors file in the folder, got 7/,
  ],
  [
    "a tensor twice",
    '{"weight_map":{"a":"good.safetensors",\n"a":"x.safetensors"}}',
    /line 2, column 1: expected every key once/,
  ],
];

for (const [i, [fault, bytes, expected]] of INDEXES.entries()) {
  test(`safetensors index: ${fault}`, async () => {
    await mkdir(path.join(scratch.path, `index-${i}`));
    await scratch.write(`index-${i}/${INDEX}`, bytes);
    await assertRefused(() => openSafetensors(path.join(scratch.path, `index-${i}`)), INDEX, expected);
  });
}

test("safetensors index: a shard that is missing, lacks a tensor, or has one too many is named", async () => {
  const folder = path.join(scratch.path, "shards");
  await mkdir(folder);
  await scratch.write("shards/good.safetensors", GOOD);
  const cases = [
    [{ a: "none.safetensors" }, "none.safetensors", /expected a file, got none there/],
    [
      { a: "good.safetensors", b: "good.safetensors" },
      "good.safetensors",
      /expected tensor "b" by the index, got none/,
    ],
    [{ b: "good.safetensors" }, "good.safetensors", /expected tensor "b" by the index, got none/],
  ] as const;
  for (const [map, named, expected] of cases) {
    await scratch.write(`shards/${INDEX}`, JSON.stringify({ weight_map: map }));
    await assertRefused(() => openSafetensors(folder), named, expected);
  }
  await scratch.write(
    "shards/two.safetensors",
    safetensorsBytes({ a: entry("F32", [2], 0, 8), b: entry("F32", [2], 8, 16) }, DATA),
  );
  await scratch.write(`shards/${INDEX}`, JSON.stringify({ weight_map: { a: "two.safetensors" } }));
  await assertRefused(
    () => openSafetensors(folder),
    "two.safetensors",
    /tensor "b": expected it in the index for this file, got none/,
  );
});

test("paths: nothing there, an empty folder, a folder where a file should be", async () => {
  await mkdir(path.join(scratch.path, "empty/model.safetensors"), { recursive: true });
  await assertRefused(
    () => openSafetensors(path.join(scratch.path, "none")),
    "none",
    /expected a file, got none there; check the path/,
  );
  await assertRefused(
    () => openSafetensors(path.join(scratch.path, "empty")),
    "empty",
    /expected model.safetensors or .*index.json/,
  );
  await assertRefused(
    () => openGguf(path.join(scratch.path, "empty")),
    "empty",
    /expected a regular file, got a folder/,
  );
  await assertRefused(
    () => openGguf(path.join(scratch.path, "none.gguf")),
    "none.gguf",
    /expected a file, got none there/,
  );
});

const tensor = (more: Partial<GgufTensorParts> = {}): GgufTensorParts => ({
  name: "w",
  shape: [4],
  type: 0,
  data: DATA,
  ...more,
});
const withKey = (type: number, bytes: Buffer): Buffer => ggufBytes({ metadata: [["k", { type, bytes }]] });
const withTensors = (...tensors: GgufTensorParts[]): Buffer => ggufBytes({ tensors });
const aligned = (bytes: Buffer, type = 4): Buffer => ggufBytes({ metadata: [["general.alignment", { type, bytes }]] });
const HEADER_24 = Buffer.concat([Buffer.from("GGUF"), uint32(3), uint64(0), uint64(1)]);
const GOOD_GGUF = ggufBytes({ metadata: [["k", strings(["a", "b"])]], tensors: [tensor(), tensor({ name: "v" })] });

const GGUF: readonly Case[] = [
  ["an empty file", "", /magic: expected 4 bytes, got the 0 that the file has left/],
  ["another format", "PK\u0003\u0004 and so on", /expected "GGUF" as the first four bytes, got "PK/],
  ["version 1", ggufBytes({ version: 1 }), /version: expected 2 or 3, got 1/],
  ["version 99", ggufBytes({ version: 99 }), /version: expected 2 or 3, got 99/],
  ["a big-endian file", ggufBytes({ version: 0x03000000 }), /got that of a big-endian file/],
  [
    "2^60 tensors",
    ggufBytes({ tensorCount: 2n ** 60n }),
    /tensor count: expected at most 65536, got 1152921504606846976/,
  ],
  ["2^60 keys", ggufBytes({ keyCount: 2n ** 60n }), /key count: expected at most 4096, got/],
  ["a key more than there are", HEADER_24, /key 0: expected 8 bytes, got the 0/],
  ["a tensor more than there are", ggufBytes({ tensorCount: 1 }), /tensor "": expected 4 bytes, got the 0/],
  [
    "a key of 2^40 bytes",
    Buffer.concat([HEADER_24, uint64(2n ** 40n)]),
    /key 0: expected a string of at most 65535 bytes, got 1099511627776/,
  ],
  [
    "a string of 2^63 bytes",
    withKey(8, uint64(2n ** 63n)),
    /"k": expected a string of at most \d+ bytes, got 9223372036854775808/,
  ],
  [
    "a string longer than the file",
    withKey(8, uint64(5000)),
    /"k": expected 5000 bytes, got the \d+ that the file has left/,
  ],
  ["a key that isn't UTF-8", Buffer.concat([HEADER_24, uint64(2), Buffer.of(0xc3, 0x28)]), /key 0: expected UTF-8/],
  ["a value type of 13", withKey(13, Buffer.alloc(8)), /"k": expected a value type of 0 to 12, got 13/],
  [
    "an array of arrays",
    withKey(9, Buffer.concat([uint32(9), uint64(1), uint32(4), uint64(0)])),
    /expected an array of scalars or strings, got arrays/,
  ],
  [
    "an array of type 77",
    withKey(9, Buffer.concat([uint32(77), uint64(1)])),
    /expected an array of scalars or strings, got value type 77/,
  ],
  [
    "an array of 2^60 numbers",
    withKey(9, Buffer.concat([uint32(4), uint64(2n ** 60n)])),
    /length of "k": expected at most 8388608, got/,
  ],
  [
    "an array of 8 million strings",
    withKey(9, Buffer.concat([uint32(8), uint64(8_000_000)])),
    /"k": expected 64000000 bytes, got the \d+/,
  ],
  [
    "an array of 8 million numbers",
    withKey(9, Buffer.concat([uint32(12), uint64(8_000_000)])),
    /"k": expected 64000000 bytes, got the \d+/,
  ],
  ["a boolean of 7", withKey(7, Buffer.of(7)), /"k": expected a boolean of 0 or 1, got 7/],
  [
    "a key twice",
    ggufBytes({
      metadata: [
        ["k", u32(1)],
        ["k", u32(2)],
      ],
    }),
    /key "k": expected it once, got it again/,
  ],
  ["a tensor twice", withTensors(tensor(), tensor()), /tensor "w": expected the name once, got it again/],
  [
    "a name of 65 bytes",
    withTensors(tensor({ name: "w".repeat(65) })),
    /name of tensor 0: expected a string of at most 64 bytes, got 65/,
  ],
  ["no dimensions", withTensors(tensor({ shape: [] })), /tensor "w": expected 1 to 4 dimensions, got 0/],
  ["five dimensions", withTensors(tensor({ shape: [1, 1, 1, 1, 4] })), /expected 1 to 4 dimensions, got 5/],
  ["a dimension of 0", withTensors(tensor({ shape: [0] })), /expected dimensions above 0, got \[0\]/],
  [
    "dimensions that overflow",
    withTensors(tensor({ shape: [2 ** 52, 2 ** 52] })),
    /expected data up to byte \S+, got a file of \d+/,
  ],
  [
    "a dimension of 2^63",
    Buffer.concat([withTensors(tensor()).subarray(0, 24), text("w"), uint32(1), uint64(2n ** 63n)]),
    /dimension 0: expected at most/,
  ],
  [
    "a type that isn't supported",
    withTensors(tensor({ type: 10 })),
    /tensor "w": expected a type of F32, F16, .*, got Q2_K; quantise/,
  ],
  ["a type that isn't known", withTensors(tensor({ type: 200 })), /expected a type of F32, .*, got number 200/],
  [
    "rows that aren't whole blocks",
    withTensors(tensor({ shape: [2, 48], type: 2 })),
    /expected rows of whole Q4_0 blocks of 32, got rows of 48/,
  ],
  [
    "an offset that isn't aligned",
    withTensors(tensor({ offset: 4 })),
    /tensor "w" leaves a gap before it: expected offset 0, got 4/,
  ],
  [
    "an offset of 2^63",
    withTensors(tensor({ offset: 2n ** 63n })),
    /leaves a gap before it: expected offset 0, got 9223372036854775808/,
  ],
  [
    "tensors that overlap",
    withTensors(tensor(), tensor({ name: "v", offset: 0 })),
    /tensor "v" overlaps .*: expected offset 32, got 0/,
  ],
  [
    "a gap between tensors",
    withTensors(tensor(), tensor({ name: "v", offset: 64 })),
    /tensor "v" leaves a gap before it: expected offset 32, got 64/,
  ],
  [
    "data cut off",
    GOOD_GGUF.subarray(0, GOOD_GGUF.length - 20),
    /tensor "v": expected data up to byte \d+, got a file of \d+; truncated\?/,
  ],
  [
    "a header cut off",
    GOOD_GGUF.subarray(0, 100),
    /GGUF at byte \d+: .*: expected \d+ bytes, got the \d+ that the file has left/,
  ],
  [
    "bytes after the data",
    Buffer.concat([GOOD_GGUF, Buffer.alloc(40)]),
    /size: expected at most \d+ bytes by the header, got \d+; trailing bytes/,
  ],
  ["an alignment of 0", aligned(uint32(0)), /general.alignment: expected a power of two of 8 to 65536, got "0"/],
  ["an alignment of 24", aligned(uint32(24)), /general.alignment: expected a power of two of 8 to 65536, got "24"/],
  ["an alignment of 2^31", aligned(uint32(2 ** 31)), /general.alignment: expected a power of two/],
  [
    "an alignment that is text",
    aligned(text("32"), 8),
    /general.alignment: expected a power of two of 8 to 65536, got "32"/,
  ],
  [
    "an alignment that is an array",
    aligned(array(4, [uint32(32)]).bytes, 9),
    /general.alignment: expected .*, got an array/,
  ],
  [
    "a part of a split model",
    ggufBytes({ metadata: [["split.count", u32(3)]] }),
    /split.count: expected a whole model, got one of 3 parts; merge/,
  ],
];

for (const [i, [fault, bytes, expected]] of GGUF.entries()) {
  test(`GGUF: ${fault}`, async () => {
    const file = await scratch.write(`case-${i}.gguf`, bytes);
    await assertRefused(() => openGguf(file), `case-${i}.gguf`, expected);
  });
}

test("the files that the cases are made from are good", async () => {
  await (await openSafetensors(await scratch.write("good.safetensors", GOOD))).close();
  const source = await openGguf(await scratch.write("good.gguf", GOOD_GGUF));
  assert.deepEqual(source.metadata.get("k"), ["a", "b"]);
  await source.close();
  const empty = ggufBytes({
    metadata: [
      ["general.alignment", u32(64)],
      ["s", string("")],
    ],
    alignment: 64,
  });
  await (await openGguf(await scratch.write("empty.gguf", empty))).close();
  const values = withTensors(tensor({ data: floats(1, 2, 3, 4) }));
  await (await openGguf(await scratch.write("values.gguf", values))).close();
});
