import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { parseJsonObject } from "../../layers/json-file.ts";
import { ModelFileError } from "../../layers/model-file-error.ts";
import { openTokenizer } from "../../layers/tokenizer/open-tokenizer.ts";
import type { WeightSource } from "../../layers/weight-source.ts";
import { ggufToConfig } from "../../layers/weights/gguf-config.ts";
import { openGguf } from "../../layers/weights/gguf.ts";
import { openSafetensors } from "../../layers/weights/safetensors.ts";
import { array, f32, floats, ggufBytes, int32s, string, strings, u32 } from "./gguf-bytes.ts";
import { entry, safetensorsBytes } from "./safetensors-bytes.ts";
import { scratchFolder } from "./scratch-folder.ts";

/**
 * Random bytes and mutated good files thrown at each parser: a result, or a ModelFileError that names the file; never another
 * exception, a hang, or memory that the file doesn't account for.
 */

const scratch = await scratchFolder();
const seeded = process.env.FC_SEED ? { seed: Number(process.env.FC_SEED) } : {};
/** All runs of one property together; a run of some milliseconds that hangs is far beyond it. */
const MAX_PROPERTY_CPU_MS = 40_000;
const MAX_GROWTH_BYTES = 256 << 20;

/** Words that counts and lengths are worst at. */
const NASTY = [
  "00",
  "ff",
  "80",
  "7f",
  "ffffffff",
  "ffffffffffffffff",
  "0000000000000080",
  "0000000100000000",
  "5b5b5b5b",
  "7b7d",
];

type Edit = (bytes: Buffer) => Buffer;
const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.tuple(place, fc.nat(255)).map(([at, byte]) => overwrite(at, Buffer.of(byte))),
  fc.tuple(place, fc.constantFrom(...NASTY)).map(([at, hex]) => overwrite(at, Buffer.from(hex, "hex"))),
  place.map((at) => (bytes: Buffer) => bytes.subarray(0, Math.floor(at * bytes.length))),
  fc.tuple(place, fc.uint8Array({ maxLength: 12 })).map(([at, more]) => (bytes: Buffer) => {
    const from = Math.floor(at * bytes.length);
    return Buffer.concat([bytes.subarray(0, from), more, bytes.subarray(from)]);
  }),
  fc.tuple(place, place).map(([a, b]) => (bytes: Buffer) => {
    const [from, to] = [a, b].map((at) => Math.floor(at * bytes.length)).sort((x, y) => x - y);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
  }),
);

function overwrite(at: number, word: Buffer): Edit {
  return (bytes) => {
    const copy = Buffer.from(bytes);
    word.copy(copy, Math.floor(at * copy.length));
    return copy;
  };
}

/** Mutations of `good`; and sometimes nothing of it. */
const mutated = (good: Buffer): fc.Arbitrary<Buffer> =>
  fc.oneof(
    {
      weight: 9,
      arbitrary: fc
        .array(edit, { minLength: 1, maxLength: 4 })
        .map((edits) => edits.reduce((bytes, apply) => apply(bytes), good)),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
  );

/** Runs `use` on each file and asserts the property; counts how many were taken, as a test that refuses all would prove little. */
async function assertSafe(good: Buffer, numRuns: number, file: string, use: () => Promise<void>): Promise<void> {
  let taken = 0;
  const cpuBefore = process.cpuUsage();
  const peakBefore = process.resourceUsage().maxRSS * 1024;
  await fc.assert(
    fc.asyncProperty(mutated(good), async (bytes) => {
      await writeFile(file, bytes);
      try {
        await use();
        taken++;
      } catch (error) {
        assert.ok(
          error instanceof ModelFileError,
          `expected a ModelFileError, got ${error instanceof Error ? error.stack : String(error)}`,
        );
        assert.ok(
          error.message.startsWith(`${error.file}: `) && error.message.length < 2000,
          error.message.slice(0, 300),
        );
      }
    }),
    { numRuns, ...seeded },
  );
  const { user, system } = process.cpuUsage(cpuBefore);
  assert.ok(
    (user + system) / 1000 < MAX_PROPERTY_CPU_MS,
    `expected less than ${MAX_PROPERTY_CPU_MS} ms of CPU, got ${(user + system) / 1000}`,
  );
  const grown = process.resourceUsage().maxRSS * 1024 - peakBefore;
  assert.ok(grown < MAX_GROWTH_BYTES, `expected less than ${MAX_GROWTH_BYTES} bytes more, got ${grown}`);
  assert.ok(
    taken > 0 && taken < numRuns,
    `expected some files taken and some refused, got ${taken} taken of ${numRuns}`,
  );
}

/** Reads every row of every tensor: what a header promises must be there. */
async function readEverything(source: WeightSource, fileBytes: number): Promise<void> {
  try {
    for (const [name, { shape, type }] of source.tensors) {
      const elements = shape.reduce((product, size) => product * size, 1);
      // No supported type takes less than half a byte an element.
      assert.ok(elements <= 2 * fileBytes, `${name}: ${elements} elements in a file of ${fileBytes} bytes`);
      if (source.format === "gguf" || ["F32", "F16", "BF16"].includes(type)) {
        await source.readRows(name, 0, shape[0] ?? 1, new Float32Array(elements));
      }
    }
  } finally {
    await source.close();
  }
}

test("safetensors", async () => {
  const header = {
    __metadata__: { format: "pt" },
    a: entry("F32", [2, 3], 0, 24),
    b: entry("BF16", [4], 24, 32),
    c: entry("F16", [2, 2], 32, 40),
  };
  const file = path.join(scratch.path, "any.safetensors");
  await assertSafe(safetensorsBytes(header, Buffer.alloc(40, 1)), 1500, file, async () =>
    readEverything(await openSafetensors(file), 4096),
  );
});

test("a safetensors index", async () => {
  const folder = path.join(scratch.path, "sharded");
  await mkdir(folder);
  await scratch.write("sharded/one.safetensors", safetensorsBytes({ a: entry("F32", [2], 0, 8) }, Buffer.alloc(8)));
  await scratch.write("sharded/two.safetensors", safetensorsBytes({ b: entry("F32", [2], 0, 8) }, Buffer.alloc(8)));
  const good = Buffer.from(
    '{"metadata": {"total_size": 16}, "weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}',
  );
  const file = path.join(folder, "model.safetensors.index.json");
  await assertSafe(good, 600, file, async () => readEverything(await openSafetensors(folder), 4096));
});

const GOOD_GGUF = ggufBytes({
  metadata: [
    ["general.architecture", string("llama")],
    ["general.alignment", u32(32)],
    ["llama.embedding_length", u32(32)],
    ["llama.block_count", u32(1)],
    ["llama.attention.head_count", u32(2)],
    ["llama.attention.head_count_kv", int32s([2])],
    ["llama.feed_forward_length", u32(32)],
    ["llama.context_length", u32(64)],
    ["llama.rope.freq_base", f32(10_000)],
    ["tokenizer.ggml.model", string("gpt2")],
    ["tokenizer.ggml.pre", string("smollm")],
    ["tokenizer.ggml.tokens", strings(["<s>", "a", "b", "ab", "Ġ", "1"])],
    ["tokenizer.ggml.token_type", int32s([3, 1, 1, 1, 1, 1])],
    ["tokenizer.ggml.merges", strings(["a b"])],
    ["tokenizer.ggml.bos_token_id", u32(0)],
    ["tokenizer.chat_template", string("{% for m in messages %}{{ m.content }}{% endfor %}")],
  ],
  tensors: [
    { name: "token_embd.weight", shape: [6, 32], type: 8, data: Buffer.alloc(6 * 34, 3) },
    { name: "output_norm.weight", shape: [32], type: 0, data: floats(...Array.from({ length: 32 }, () => 1)) },
    { name: "blk.0.attn_q.weight", shape: [32, 32], type: 3, data: Buffer.alloc(32 * 20, 5) },
  ],
});

test("GGUF: weights and description", async () => {
  const file = path.join(scratch.path, "any.gguf");
  await assertSafe(GOOD_GGUF, 1500, file, async () => {
    const source = await openGguf(file);
    try {
      await ggufToConfig(source);
    } catch (error) {
      await source.close();
      throw error;
    }
    await readEverything(source, GOOD_GGUF.length + 4096);
  });
});

/** Encodes and decodes with a tokenizer that was taken, which must not fail in ways that only its file explains. */
async function useTokenizer(modelPath: string): Promise<void> {
  const tokenizer = await openTokenizer(modelPath);
  const ids = tokenizer.encode("a ba 12\né");
  assert.ok(ids.every((id) => Number.isInteger(id) && id >= 0 && id < tokenizer.vocabulary));
  assert.equal(typeof tokenizer.decode(ids), "string");
  if (tokenizer.chatTemplate)
    assert.equal(typeof tokenizer.applyChatTemplate([{ role: "user", content: "a" }]), "string");
}

test("GGUF: tokenizer", async () => {
  const file = path.join(scratch.path, "tokenizer.gguf");
  await assertSafe(GOOD_GGUF, 800, file, () => useTokenizer(file));
});

const SENTENCEPIECE = ggufBytes({
  metadata: [
    ["tokenizer.ggml.model", string("llama")],
    ["tokenizer.ggml.tokens", strings(["<unk>", "<s>", "<0x0A>", "a", "b", "\u2581", "\u2581a", "ba", "\u2581ba"])],
    [
      "tokenizer.ggml.scores",
      array(
        6,
        [0, 0, 0, -4, -5, -6, -1, -2, -3].map((score) => floats(score)),
      ),
    ],
    ["tokenizer.ggml.token_type", int32s([2, 3, 6, 1, 1, 1, 1, 1, 1])],
    ["tokenizer.ggml.bos_token_id", u32(1)],
  ],
});

test("GGUF: SentencePiece tokenizer", async () => {
  const file = path.join(scratch.path, "sentencepiece.gguf");
  await assertSafe(SENTENCEPIECE, 800, file, () => useTokenizer(file));
});

/** A small tokenizer.json of many parts. */
const TOKENIZER = {
  version: "1.0",
  added_tokens: [
    { id: 0, content: "<s>", single_word: false, lstrip: false, rstrip: false, normalized: false, special: true },
  ],
  normalizer: {
    type: "Sequence",
    normalizers: [{ type: "NFC" }, { type: "Replace", pattern: { String: "x" }, content: "a" }],
  },
  pre_tokenizer: {
    type: "Sequence",
    pretokenizers: [
      { type: "Split", pattern: { Regex: "\\p{N}{1,3}| ?\\p{L}+" }, behavior: "Isolated", invert: false },
      { type: "Digits", individual_digits: true },
      { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
    ],
  },
  post_processor: {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
    pair: [],
    special_tokens: { "<s>": { id: "<s>", ids: [0], tokens: ["<s>"] } },
  },
  decoder: {
    type: "Sequence",
    decoders: [
      { type: "ByteLevel", add_prefix_space: true },
      { type: "Strip", content: " ", start: 1, stop: 0 },
    ],
  },
  model: {
    type: "BPE",
    unk_token: null,
    vocab: { "<s>": 0, a: 1, b: 2, ab: 3, Ġ: 4, "1": 5, "2": 6 },
    merges: [["a", "b"]],
  },
};

for (const [file, good] of [
  ["tokenizer.json", TOKENIZER],
  [
    "tokenizer_config.json",
    {
      bos_token: "<s>",
      eos_token: { content: "<s>" },
      chat_template: "{% for m in messages %}{{ m.content }}{% endfor %}",
    },
  ],
  ["generation_config.json", { eos_token_id: [0, 1], temperature: 0.5 }],
] as const) {
  test(`tokenizer: ${file}`, async () => {
    const folder = path.join(scratch.path, file);
    await mkdir(folder);
    await writeFile(path.join(folder, "tokenizer.json"), JSON.stringify(TOKENIZER));
    await assertSafe(Buffer.from(JSON.stringify(good)), 800, path.join(folder, file), () => useTokenizer(folder));
  });
}

/** Puts another value (nothing: takes it away) at a place of a JSON value, which `steps` choose going down. */
function replaceIn(value: unknown, steps: readonly number[], other: unknown): unknown {
  if (steps.length === 0 || typeof value !== "object" || value === null) return other;
  const keys = Object.keys(value);
  if (keys.length === 0) return other;
  const chosen = keys[steps[0] % keys.length];
  const entries = Object.entries(value).map(
    ([key, inner]) => [key, key === chosen ? replaceIn(inner, steps.slice(1), other) : inner] as const,
  );
  const kept = entries.filter(([, inner]) => inner !== undefined);
  return Array.isArray(value) ? kept.map(([, inner]) => inner) : Object.fromEntries(kept);
}

test("tokenizer: tokenizer.json with any value in any place", async () => {
  const folder = path.join(scratch.path, "structured");
  await mkdir(folder);
  const oddities = fc.oneof(
    fc.constantFrom(
      undefined,
      null,
      true,
      -1,
      0.5,
      1,
      7,
      2 ** 40,
      "",
      "a",
      "<s>",
      "\\p{",
      "((a+)+)+$",
      [],
      {},
      [null],
      { type: "Sequence" },
      { String: "" },
    ),
    fc.jsonValue({ maxDepth: 2 }),
  );
  const edits = fc.array(fc.tuple(fc.array(fc.nat(20), { minLength: 1, maxLength: 6 }), oddities), {
    minLength: 1,
    maxLength: 3,
  });
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(edits, async (edits) => {
      const changed = edits.reduce((value: unknown, [steps, other]) => replaceIn(value, steps, other), TOKENIZER);
      await writeFile(path.join(folder, "tokenizer.json"), JSON.stringify(changed) ?? "");
      try {
        await useTokenizer(folder);
        taken++;
      } catch (error) {
        assert.ok(error instanceof ModelFileError, error instanceof Error ? error.stack : String(error));
      }
    }),
    { numRuns: 1500, ...seeded },
  );
  assert.ok(taken > 0, "expected some to be taken, got none");
});

test("JSON: every object that JSON.stringify writes is taken, as it was", () => {
  const objects = fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue({ maxDepth: 4 }), {
    noNullPrototype: true,
  });
  fc.assert(
    fc.property(objects, fc.constantFrom(undefined, 1, "\t"), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      assert.deepEqual(parseJsonObject(Buffer.from(text), "any.json"), JSON.parse(text));
    }),
    { numRuns: 500, ...seeded },
  );
});

test("JSON: what is taken is what JSON.parse takes; the rest is refused by name", async () => {
  const good = await readFile(path.resolve(import.meta.dirname, "../fixtures/models/gemma2/config.json"));
  fc.assert(
    fc.property(mutated(good), (bytes) => {
      try {
        const value = parseJsonObject(bytes, "any.json");
        assert.deepEqual(value, JSON.parse(bytes.toString("utf8")));
      } catch (error) {
        assert.ok(error instanceof ModelFileError && error.file === "any.json", String(error));
      }
    }),
    { numRuns: 1500, ...seeded },
  );
});
