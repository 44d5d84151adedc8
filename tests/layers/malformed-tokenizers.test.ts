import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { readJsonFile, type JsonObject } from "../../layers/json-file.ts";
import { openTokenizer } from "../../layers/tokenizer/open-tokenizer.ts";
import { array, bool, ggufBytes, int32s, string, strings, u32, uint32, type GgufField } from "./gguf-bytes.ts";
import { assertRefused } from "./refusal.ts";
import { scratchFolder } from "./scratch-folder.ts";

const scratch = await scratchFolder();
let folders = 0;

/** A folder of these files. */
async function folderOf(files: Readonly<Record<string, string | Uint8Array | object>>): Promise<string> {
  const name = `folder-${folders++}`;
  await mkdir(path.join(scratch.path, name));
  for (const [file, content] of Object.entries(files)) {
    const bytes = typeof content === "string" || content instanceof Uint8Array ? content : JSON.stringify(content);
    await scratch.write(path.join(name, file), bytes);
  }
  return path.join(scratch.path, name);
}

// --- JSON, as config.json, the index and the tokenizer's files are read

const MAX_BYTES = 1 << 16;
const JSONS: readonly (readonly [fault: string, content: string | Uint8Array, expected: RegExp])[] = [
  ["an empty file", "", /JSON at line 1, column 1: expected a value, got the end of the file/],
  ["more than the bound", "{".padEnd(MAX_BYTES + 1), /size: expected at most 65536 bytes, got 65537/],
  ["a byte order mark", "\ufeff{}", /line 1, column 1: expected a value/],
  ["UTF-16", Buffer.from("{}", "utf16le"), /line 1, column 2: expected a key in quotation marks/],
  ["bytes that aren't UTF-8", Buffer.of(0x7b, 0xff), /expected UTF-8/],
  ["a number", "7", /expected an object, got "7"/],
  ["null", "null", /expected an object, got "null"/],
  ["a comma too many", '{"a": 1,\n "b": 2,\n}', /line 3, column 1: expected a key in quotation marks, got "}"/],
  ["a comma too few", '{"a": [1 2]}', /line 1, column 10: expected "," or "]", got "2]}"/],
  ["a colon missing", '{"a" 1}', /line 1, column 6: expected ":", got "1}"/],
  ["a string that doesn't end", '{"a": "b}', /line 1, column 7: expected a string with valid escapes that ends/],
  ["an escape that isn't one", '{"a": "\\x"}', /line 1, column 7: expected a string with valid escapes/],
  ["a line break in a string", '{"a": "\n"}', /line 1, column 7: expected a string/],
  ["a comment", '{"a": 1 // one\n}', /line 1, column 9: expected "," or "}", got "\/\/ one/],
  ["not a number", '{"a": NaN}', /line 1, column 7: expected a value, got "NaN}"/],
  ["a number with a leading zero", '{"a": 01}', /line 1, column 8: expected "," or "}"/],
  ["text after the object", "{} {}", /line 1, column 4: expected the end of the file, got "{}"/],
  ["a key twice", '{"a": 1, "b": 2, "a": 3}', /line 1, column 18: expected every key once in an object/],
  ["sixty-five levels", "[".repeat(65), /column 65: expected at most 64 levels/],
];

for (const [fault, content, expected] of JSONS) {
  test(`config.json: ${fault}`, async () => {
    const folder = await folderOf({ "config.json": content });
    await assertRefused(() => readJsonFile(path.join(folder, "config.json"), MAX_BYTES), "config.json", expected);
  });
}

// --- tokenizer.json and the files beside it

const FIXTURE = path.resolve(import.meta.dirname, "../fixtures/tokenizers/gpt2.json");
const GOOD = JSON.parse(await readFile(FIXTURE, "utf8")) as JsonObject & {
  model: JsonObject & { vocab: Record<string, number> };
};
const withModel = (more: object): object => ({ ...GOOD, model: { ...GOOD.model, ...more } });
const withVocab = (more: object): object => withModel({ vocab: { ...GOOD.model.vocab, ...more } });
const added = (more: object): object => ({
  ...GOOD,
  added_tokens: [{ id: 0, content: "<|endoftext|>", special: true, ...more }],
});
const template = (id: string): object => ({
  ...GOOD,
  post_processor: {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id, type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
    pair: [],
    special_tokens: {},
  },
});
const split = (pattern: object, more: object = {}): object => ({
  ...GOOD,
  pre_tokenizer: { type: "Split", pattern, behavior: "Isolated", invert: false, ...more },
});

const TOKENIZERS: readonly (readonly [fault: string, content: string | object, expected: RegExp])[] = [
  ["not JSON", '{"model": }', /JSON at line 1, column 11: expected a value/],
  ["no model", {}, /tokenizer, model: Invalid input: expected object/],
  [
    "a model that isn't supported",
    { model: { type: "Unigram", vocab: [] } },
    /tokenizer, model.type: expected one of BPE, WordPiece/,
  ],
  ["an unknown key in the model", withModel({ alpha: 1 }), /tokenizer, model: expected known keys only, got "alpha"/],
  ["dropout", withModel({ dropout: 0.1 }), /tokenizer, model.dropout/],
  [
    "an empty vocabulary",
    { ...withModel({ vocab: {}, merges: [] }), added_tokens: [] },
    /vocabulary: expected tokens, got none/,
  ],
  [
    "a vocabulary that is a list",
    withModel({ vocab: ["a"] }),
    /model.vocab: expected an object of token ids of 0 to 4194304/,
  ],
  ["an id below 0", withVocab({ x: -1 }), /model.vocab: expected an object of token ids/],
  ["an id of 2^31", withVocab({ x: 2 ** 31 }), /model.vocab: expected an object of token ids of 0 to 4194304/],
  ["an id that isn't whole", withVocab({ x: 0.5 }), /model.vocab: expected an object of token ids/],
  ["an id twice", withVocab({ zz: 7 }), /id 7: expected one token, got .* and "zz"/],
  ["merges that are text", withModel({ merges: "a b" }), /model.merges: expected an array of merges/],
  [
    "a merge of three",
    withModel({ merges: [["a", "b", "c"]] }),
    /merge 0: expected two tokens of the vocabulary .*, got \["a","b","c"\]/,
  ],
  ["a merge of numbers", withModel({ merges: [[1, 2]] }), /merge 0: expected two tokens of the vocabulary/],
  [
    "a merge of unknown tokens",
    withModel({ merges: ["qq zz"] }),
    /merge 0: expected two tokens of the vocabulary .*, got "qq zz"/,
  ],
  [
    "an unknown token that isn't in the vocabulary",
    withModel({ unk_token: "<none>" }),
    /unk_token: expected a token of the vocabulary, got "<none>"/,
  ],
  ["an added token with another id", added({ id: 5 }), /added token .*: expected its id 0 of the vocabulary, got 5/],
  ["an added token without text", added({ content: "" }), /added_tokens.0.content/],
  ["an added token of 2^40", added({ content: "new", id: 2 ** 40 }), /added_tokens.0.id/],
  [
    "a normaliser that isn't supported",
    { ...GOOD, normalizer: { type: "Precompiled" } },
    /normalizer.type: expected one of NFC, /,
  ],
  [
    "a pre-tokenizer that isn't supported",
    { ...GOOD, pre_tokenizer: { type: "UnicodeScripts" } },
    /pre_tokenizer.type: expected one of Sequence, /,
  ],
  ["a decoder that isn't supported", { ...GOOD, decoder: { type: "CTC" } }, /decoder.type: expected one of Sequence, /],
  [
    "a pattern that can't be compiled",
    split({ Regex: "(" }),
    /tokenizer: expected parts that can be built, got the error/,
  ],
  ["a pattern of 5000 characters", split({ Regex: "a".repeat(5000) }), /pre_tokenizer.pattern/],
  ["no pattern", split({}), /pre_tokenizer.pattern/],
  [
    "a token around the text that isn't in the vocabulary",
    template("<none>"),
    /post_processor: expected a token of the vocabulary, got "<none>"/,
  ],
];

for (const [fault, content, expected] of TOKENIZERS) {
  test(`tokenizer.json: ${fault}`, async () => {
    const folder = await folderOf({ "tokenizer.json": content });
    await assertRefused(() => openTokenizer(folder), "tokenizer.json", expected);
  });
}

const BESIDE: readonly (readonly [fault: string, file: string, content: object, expected: RegExp])[] = [
  ["a bos_token that is a number", "tokenizer_config.json", { bos_token: 1 }, /bos_token: /],
  ["a chat_template that is a number", "tokenizer_config.json", { chat_template: 1 }, /chat_template: /],
  [
    "templates without a default",
    "tokenizer_config.json",
    { chat_template: [{ name: "rag", template: "" }] },
    /one named "default" among several, got "rag"/,
  ],
  ["an eos_token_id that is text", "generation_config.json", { eos_token_id: "2" }, /eos_token_id: /],
  ["an eos_token_id below 0", "config.json", { eos_token_id: [-1] }, /eos_token_id/],
];

for (const [fault, file, content, expected] of BESIDE) {
  test(`${file}: ${fault}`, async () => {
    const folder = await folderOf({ "tokenizer.json": GOOD, [file]: content });
    await assertRefused(() => openTokenizer(folder), file, expected);
  });
}

// Found only when the files are put together; the tokenizer's own file is named.
const TOGETHER: readonly (readonly [fault: string, file: string, content: object | string, expected: RegExp])[] = [
  [
    "a bos_token outside the vocabulary",
    "tokenizer_config.json",
    { bos_token: "<none>" },
    /bos_token: expected a token of the vocabulary, got "<none>"/,
  ],
  [
    "a stop token outside the vocabulary",
    "config.json",
    { eos_token_id: 100_000 },
    /stop token: expected an id of the vocabulary, got 100000/,
  ],
  [
    "a template that isn't Jinja",
    "tokenizer_config.json",
    { chat_template: "{% for %}" },
    /chat_template: expected Jinja that can be parsed/,
  ],
  [
    "a template of 300 000 characters",
    "chat_template.jinja",
    "a".repeat(300_000),
    /chat_template: expected at most 262144 characters, got 300000/,
  ],
];

for (const [fault, file, content, expected] of TOGETHER) {
  test(`${file}: ${fault}`, async () => {
    const folder = await folderOf({ "tokenizer.json": GOOD, [file]: content });
    await assertRefused(() => openTokenizer(folder), "tokenizer.json", expected);
  });
}

test("tokenizer.json: none, and a file where the folder should be", async () => {
  await assertRefused(() => openTokenizer(scratch.path), "tokenizer.json", /expected a file, got none there/);
  await assertRefused(() => openTokenizer(FIXTURE), "tokenizer.json", /expected a file, got none there/);
});

// --- Tokenizers in GGUF metadata

type Keys = Record<string, GgufField | null>;
const TOKENS = ["<s>", "a", "b", "ab"];
const SOUND: Keys = {
  model: string("gpt2"),
  pre: string("gpt-2"),
  tokens: strings(TOKENS),
  token_type: int32s([3, 1, 1, 1]),
  merges: strings(["a b"]),
  bos_token_id: u32(0),
};

/** A GGUF file with these keys in place of sound ones; null takes one away. */
function ggufTokenizer(changes: Keys): Buffer {
  const keys = Object.entries({ ...SOUND, ...changes }).filter((pair): pair is [string, GgufField] => pair[1] !== null);
  return ggufBytes({
    metadata: keys.map(([key, field]) => [key === "chat" ? "tokenizer.chat_template" : `tokenizer.ggml.${key}`, field]),
  });
}

const GGUFS: readonly (readonly [fault: string, changes: Keys, expected: RegExp])[] = [
  [
    "a kind that isn't supported",
    { model: string("t5") },
    /tokenizer.ggml.model: expected "gpt2" or "llama", got "t5"/,
  ],
  [
    "SentencePiece without scores",
    { model: string("llama") },
    /tokenizer.ggml.scores: expected 4 values of float32, one a token/,
  ],
  [
    "SentencePiece with scores for other tokens",
    { model: string("llama"), scores: array(6, [uint32(0)]) },
    /tokenizer.ggml.scores: expected 4 values of float32, one a token/,
  ],
  [
    "SentencePiece with user-defined tokens",
    { model: string("llama"), token_type: int32s([2, 1, 1, 4]) },
    /tokenizer.ggml.token_type: expected no user-defined tokens for "llama" .*, got "ab"/,
  ],
  [
    "SentencePiece without a token for what is unknown",
    { model: string("llama"), scores: array(6, [0, 0, 0, 0].map(uint32)) },
    /tokenizer.ggml.token_type: expected a token of type 2 \(unknown\)/,
  ],
  ["no kind", { model: null }, /tokenizer.ggml.model: expected "gpt2" or "llama", got nothing/],
  [
    "a pre-tokenizer that isn't known",
    { pre: string("tekken") },
    /tokenizer.ggml.pre: expected one of gpt-2, smollm, .*, got "tekken"/,
  ],
  ["no pre-tokenizer", { pre: null }, /tokenizer.ggml.pre: expected one of gpt-2, .*, got nothing/],
  ["no tokens", { tokens: null }, /tokenizer.ggml.tokens: expected an array of strings/],
  ["tokens that are numbers", { tokens: int32s([1, 2]) }, /tokenizer.ggml.tokens: expected an array of strings/],
  ["an empty vocabulary", { tokens: strings([]) }, /tokenizer.ggml.tokens: expected an array of strings/],
  [
    "a token twice",
    { tokens: strings(["<s>", "a", "a", "ab"]) },
    /tokenizer.ggml.tokens: expected every token once, got "a"/,
  ],
  ["types for other tokens", { token_type: int32s([1]) }, /tokenizer.ggml.token_type: expected 4 values of int32/],
  [
    "types that are text",
    { token_type: strings(["1", "1", "1", "1"]) },
    /tokenizer.ggml.token_type: expected 4 values of int32/,
  ],
  ["no merges", { merges: null }, /tokenizer.ggml.merges: expected an array of strings/],
  [
    "a merge of unknown tokens",
    { merges: strings(["a c"]) },
    /merge 0: expected two tokens of the vocabulary .*, got "a c"/,
  ],
  [
    "a merge without a space",
    { merges: strings(["ab"]) },
    /merge 0: expected two tokens of the vocabulary .*, got "ab"/,
  ],
  [
    "a bos_token_id outside the vocabulary",
    { bos_token_id: u32(4) },
    /tokenizer.ggml.bos_token_id: expected an id below 4, got "4"/,
  ],
  [
    "an eos_token_id that is text",
    { eos_token_id: string("0") },
    /tokenizer.ggml.eos_token_id: expected an id below 4/,
  ],
  [
    "a switch that is a number",
    { add_bos_token: u32(1) },
    /tokenizer.ggml.add_bos_token: expected a boolean, got "number"/,
  ],
  ["a prefix space", { add_space_prefix: bool(true) }, /tokenizer.ggml.add_space_prefix: expected false/],
  ["a template that is a number", { chat: u32(1) }, /tokenizer.chat_template: expected a string, got number/],
  ["a template that isn't Jinja", { chat: string("{{") }, /chat_template: expected Jinja that can be parsed/],
];

for (const [i, [fault, changes, expected]] of GGUFS.entries()) {
  test(`GGUF tokenizer: ${fault}`, async () => {
    const file = await scratch.write(`case-${i}.gguf`, ggufTokenizer(changes));
    await assertRefused(() => openTokenizer(file), `case-${i}.gguf`, expected);
  });
}

test("the files that the cases are made from are good", async () => {
  const folder = await openTokenizer(await folderOf({ "tokenizer.json": GOOD }));
  assert.equal(folder.decode(folder.encode("a b")), "a b");
  const gguf = await openTokenizer(await scratch.write("good.gguf", ggufTokenizer({})));
  assert.deepEqual(gguf.encode("abba<s>"), [3, 2, 1, 0]);
  assert.deepEqual(
    (await openTokenizer(await scratch.write("bos.gguf", ggufTokenizer({ add_bos_token: bool(true) })))).encode("a"),
    [0, 1],
  );
});

test("a pattern that takes for ever is stopped when a text meets it, and so is a template", async () => {
  const endless = await openTokenizer(await folderOf({ "tokenizer.json": split({ Regex: "(?:(?:a+)+)+\\z" }) }));
  assert.equal(endless.decode(endless.encode("ab")), "ab");
  assert.throws(() => endless.encode(`${"a".repeat(60)}!`), {
    name: "ModelFileError",
    message: /tokenizer.json: encoding 61 characters: expected it to take at most 2061 ms/,
  });
  const chat_template = "{% for a in range(30000) %}{% for b in range(30000) %}{% endfor %}{% endfor %}";
  const looping = await openTokenizer(
    await folderOf({ "tokenizer.json": GOOD, "tokenizer_config.json": { chat_template } }),
  );
  assert.throws(() => looping.applyChatTemplate([]), {
    name: "ModelFileError",
    message: /chat_template: .* expected it to take at most 5000 ms/,
  });
});
