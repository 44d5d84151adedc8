import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { openTokenizer } from "../../layers/tokenizer/open-tokenizer.ts";
import { array, bool, floats, ggufBytes, int32s, string, strings, u32, type GgufField } from "./gguf-bytes.ts";
import { scratchFolder } from "./scratch-folder.ts";

const FIXTURES = path.resolve(import.meta.dirname, "../fixtures/tokenizers");
const scratch = await scratchFolder();
const golden = JSON.parse(await readFile(path.join(FIXTURES, "golden.json"), "utf8")) as {
  readonly texts: readonly string[];
  readonly ids: Readonly<Record<string, readonly (readonly number[] | null)[]>>;
};

interface Vocabulary {
  readonly added_tokens: readonly { readonly id: number }[];
  readonly model: {
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly (readonly [string, string])[];
  };
}

/** A byte-level vocabulary as GGUF metadata; the file says of cutting no more than the name. */
async function asGguf(name: string, pre: string, more: readonly (readonly [string, GgufField])[]): Promise<string> {
  const { added_tokens: added, model } = JSON.parse(
    await readFile(path.join(FIXTURES, `${name}.json`), "utf8"),
  ) as Vocabulary;
  const tokens = Object.entries(model.vocab).sort(([, a], [, b]) => a - b);
  const special = new Set(added.map(({ id }) => id));
  const metadata: [string, GgufField][] = [
    ["tokenizer.ggml.model", string("gpt2")],
    ["tokenizer.ggml.pre", string(pre)],
    ["tokenizer.ggml.tokens", strings(tokens.map(([token]) => token))],
    ["tokenizer.ggml.token_type", int32s(tokens.map(([, id]) => (special.has(id) ? 3 : 1)))],
    ["tokenizer.ggml.merges", strings(model.merges.map((merge) => merge.join(" ")))],
    ...more.map(([key, field]): [string, GgufField] => [`tokenizer.ggml.${key}`, field]),
  ];
  return scratch.write(`${name}-${pre}.gguf`, ggufBytes({ metadata }));
}

for (const [name, pre, more] of [
  ["gpt2", "gpt-2", []],
  ["qwen2", "qwen2", []],
  // The name alone says that a text begins with the beginning-of-text token.
  ["llama3", "llama-bpe", [["bos_token_id", u32(0)]]],
] as const) {
  test(`GGUF's "${pre}": 220 texts give the ids of the same vocabulary's tokenizer.json by the Rust original`, async () => {
    const tokenizer = await openTokenizer(await asGguf(name, pre, more));
    golden.texts.forEach((text, i) => {
      assert.deepEqual(tokenizer.encode(text), golden.ids[name][i], `text ${i}: ${JSON.stringify(text)}`);
    });
  });
}

test("what the file states of tokens around the text goes before what the name implies", async () => {
  const keys = [
    ["bos_token_id", u32(0)],
    ["eos_token_id", u32(2)],
    ["eot_token_id", u32(1)],
  ] as const;
  const quiet = await openTokenizer(await asGguf("llama3", "llama-bpe", [...keys, ["add_bos_token", bool(false)]]));
  const around = await openTokenizer(
    await asGguf("gpt2", "gpt-2", [...keys, ["add_bos_token", bool(true)], ["add_eos_token", bool(true)]]),
  );
  const [plain] = quiet.encode("a");
  assert.deepEqual(quiet.encode("a"), [plain]);
  const [first, , last] = around.encode("a");
  assert.deepEqual([around.encode("a").length, first, last], [3, 0, 2]);
  assert.deepEqual(around.stopTokens, [2, 1]);
  assert.equal(around.bosToken, "<|endoftext|>");
});

test('GGUF\'s "llama": every text gives the ids of sentencepiece itself', async () => {
  const { tokens, scores, types } = JSON.parse(await readFile(path.join(FIXTURES, "sentencepiece.json"), "utf8")) as {
    readonly tokens: readonly string[];
    readonly scores: readonly number[];
    readonly types: readonly number[];
  };
  const metadata = [
    ["tokenizer.ggml.model", string("llama")],
    ["tokenizer.ggml.tokens", strings(tokens)],
    [
      "tokenizer.ggml.scores",
      array(
        6,
        scores.map((score) => floats(score)),
      ),
    ],
    ["tokenizer.ggml.token_type", int32s(types)],
    ["tokenizer.ggml.bos_token_id", u32(1)],
    ["tokenizer.ggml.eos_token_id", u32(2)],
  ] as const;
  const tokenizer = await openTokenizer(await scratch.write("sentencepiece.gguf", ggufBytes({ metadata })));
  let compared = 0;
  golden.texts.forEach((text, i) => {
    const ids = golden.ids.sentencepiece[i];
    if (ids === null) return;
    compared++;
    assert.deepEqual(tokenizer.encode(text, { addSpecial: false }), ids, `text ${i}: ${JSON.stringify(text)}`);
    assert.deepEqual(tokenizer.encode(text), [1, ...ids]);
    const marked = text.replaceAll("\u2581", " ");
    assert.equal(tokenizer.decode(ids), marked, `ids of text ${i}`);
    const stream = tokenizer.streamDecoder({ skipSpecial: true });
    assert.equal([1, ...ids].map((id) => stream.push(id)).join("") + stream.flush(), marked, `stream of text ${i}`);
  });
  assert.ok(compared >= 200);
  const [, ...hello] = tokenizer.encode("the the");
  const fresh = tokenizer.streamDecoder();
  const continuing = tokenizer.streamDecoder({ after: tokenizer.encode("of") });
  assert.equal(hello.map((id) => fresh.push(id)).join(""), "the the");
  assert.equal(hello.map((id) => continuing.push(id)).join(""), " the the");
  // Between special tokens, as the Rust original has it: each piece of text begins with a space of its own.
  assert.deepEqual(tokenizer.encode("a</s>"), [1, ...tokenizer.encode("a", { addSpecial: false }), 2]);
});
