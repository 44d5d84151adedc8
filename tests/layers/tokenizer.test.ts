import assert from "node:assert/strict";
import { cp, mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { ModelFileError } from "../../layers/model-file-error.ts";
import { openTokenizer } from "../../layers/tokenizer/open-tokenizer.ts";
import type { Tokenizer } from "../../layers/tokenizer/tokenizer.ts";
import { integersOf, readSafetensorsFile } from "../../layers/weights/safetensors-file.ts";
import { scratchFolder } from "./scratch-folder.ts";
import { SMOLLM2_FOLDER, SMOLLM2_MISSING } from "./smollm2-folder.ts";

/** By fixtures/tokenizers/make.py: ids of 220 texts by Hugging Face's Rust tokenizers. */
interface Golden {
  readonly texts: readonly string[];
  readonly conversation: readonly { role: string; content: string }[];
  readonly chat: { readonly smollm2: readonly [plain: string, prompted: string] };
  readonly ids: Readonly<Record<string, readonly (readonly number[])[]>>;
  readonly decoded: Readonly<Record<string, Readonly<Record<string, string>>>>;
}
const FIXTURES = path.resolve(import.meta.dirname, "../fixtures/tokenizers");
const DEFAULT_MODEL = path.resolve(import.meta.dirname, "../../models/default");
const golden = JSON.parse(await readFile(path.join(FIXTURES, "golden.json"), "utf8")) as Golden;
const scratch = await scratchFolder();

/** The small tokenizer of the fixtures as a folder, with these files beside it. */
async function open(name: string, files: Record<string, unknown> = {}): Promise<Tokenizer> {
  const folder = path.join(scratch.path, `${name}-${Object.keys(files).join("-")}-${Math.random()}`);
  await mkdir(folder);
  await cp(path.join(FIXTURES, `${name}.json`), path.join(folder, "tokenizer.json"));
  for (const [file, content] of Object.entries(files)) {
    await scratch.write(
      path.join(path.basename(folder), file),
      typeof content === "string" ? content : JSON.stringify(content),
    );
  }
  return openTokenizer(folder);
}

const SMALL = ["gpt2", "qwen2", "llama3", "merged", "wordpiece", "metaspace"] as const;

function checkGolden(tokenizer: Tokenizer, name: string): void {
  golden.texts.forEach((text, i) => {
    const ids = golden.ids[name][i];
    assert.deepEqual(tokenizer.encode(text), ids, `${name}, text ${i}: ${JSON.stringify(text)}`);
    const decoded = golden.decoded[name]?.[i] ?? text;
    assert.equal(tokenizer.decode(ids), decoded, `${name}, ids of text ${i}`);
    const stream = tokenizer.streamDecoder();
    assert.equal(ids.map((id) => stream.push(id)).join("") + stream.flush(), decoded, `${name}, stream of text ${i}`);
  });
}

for (const name of SMALL) {
  test(`${name}: 220 texts give the ids of the Rust original, and come back whole and token by token`, async () => {
    checkGolden(await open(name), name);
  });
}

test("files of the first years don't name their kind of model", async () => {
  for (const name of ["gpt2", "wordpiece"]) {
    const json = JSON.parse(await readFile(path.join(FIXTURES, `${name}.json`), "utf8")) as {
      model: { type?: string };
    };
    delete json.model.type;
    checkGolden(await open(name, { "tokenizer.json": json }), name);
  }
});

test("the default model's tokenizer: the same", async () => {
  const tokenizer = await openTokenizer(DEFAULT_MODEL);
  checkGolden(tokenizer, "default");
  assert.deepEqual([tokenizer.bosToken, tokenizer.stopTokens], ["<|endoftext|>", [0]]);
  assert.throws(() => tokenizer.applyChatTemplate([]), /chat template: expected one for a conversation, got none/);
});

test(
  "SmolLM2's, built from GGUF: the same, its golden prompts, its chat template",
  { skip: SMOLLM2_MISSING },
  async () => {
    const tokenizer = await openTokenizer(path.join(SMOLLM2_FOLDER, "model.gguf"));
    checkGolden(tokenizer, "smollm2");
    const outputs = await readSafetensorsFile(path.join(SMOLLM2_FOLDER, "golden.safetensors"));
    const prompts = (await readFile(path.join(SMOLLM2_FOLDER, "prompts.txt"), "utf8")).trimEnd().split("\n");
    const texts = JSON.parse(await readFile(path.join(SMOLLM2_FOLDER, "golden.json"), "utf8")) as {
      continuation: string;
    }[];
    prompts.forEach((prompt, p) => {
      assert.deepEqual(tokenizer.encode(prompt), integersOf(outputs, `${p}.input_ids`));
      assert.equal(tokenizer.decode(integersOf(outputs, `${p}.greedy`)), texts[p].continuation);
    });
    assert.equal(prompts.length, 3);
    assert.deepEqual([tokenizer.bosToken, tokenizer.stopTokens, tokenizer.vocabulary], ["<|im_start|>", [2], 49_152]);
    const [plain, prompted] = golden.chat.smollm2;
    assert.equal(tokenizer.applyChatTemplate(golden.conversation, { addGenerationPrompt: false }), plain);
    assert.equal(tokenizer.applyChatTemplate(golden.conversation, { addGenerationPrompt: true }), prompted);
    assert.deepEqual(tokenizer.encode(prompted, { addSpecial: false }).slice(0, 3), [1, 9690, 198]);
  },
);

test("addSpecial adds what the model wants around a text; skipSpecial leaves special tokens out", async () => {
  const llama3 = await open("llama3");
  assert.deepEqual(llama3.encode("the"), [0, ...llama3.encode("the", { addSpecial: false })]);
  assert.equal(llama3.decode(llama3.encode("the<|im_end|>")), "<|endoftext|>the<|im_end|>");
  assert.equal(llama3.decode(llama3.encode("the<|im_end|>"), { skipSpecial: true }), "the");
  assert.equal(llama3.decode([]), "");
  assert.throws(() => llama3.decode([420]), /expected ids of the vocabulary \[0, 420\), got 420/);
  const stream = llama3.streamDecoder({ skipSpecial: true });
  assert.equal(
    llama3
      .encode("a<|im_end|>b")
      .map((id) => stream.push(id))
      .join("|"),
    "|a||b",
  );
});

const seeded = process.env.FC_SEED ? { seed: Number(process.env.FC_SEED) } : {};

for (const name of SMALL) {
  test(`${name}: a stream gives whole characters only, and in all what decode gives, for any ids`, async () => {
    const tokenizer = await open(name);
    const ids = fc.array(fc.nat({ max: tokenizer.vocabulary - 1 }), { maxLength: 40 });
    fc.assert(
      fc.property(ids, fc.boolean(), (ids, skipSpecial) => {
        const stream = tokenizer.streamDecoder({ skipSpecial });
        const pieces = ids.map((id) => stream.push(id));
        assert.equal(pieces.join("") + stream.flush(), tokenizer.decode(ids, { skipSpecial }));
        // What looks like a torn character is one only where the bytes after it don't complete it.
        for (const piece of pieces) assert.ok(!piece.endsWith("\uFFFD"));
      }),
      { numRuns: 300, ...seeded },
    );
  });
}

test("byte-level tokenizers: any text comes back", async () => {
  const tokenizer = await open("gpt2");
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 60 }),
      (text) => tokenizer.decode(tokenizer.encode(text)) === text,
    ),
    { numRuns: 300, ...seeded },
  );
});

const MESSAGES = [{ role: "user", content: "Hi" }];
const TEMPLATE =
  "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}>{% endif %}";

test("chat templates: a string, a list with a default, a file that goes before both; stop tokens from every file", async () => {
  const config = { bos_token: { content: "<|im_start|>" }, eos_token: "<|im_end|>" };
  const one = await open("gpt2", { "tokenizer_config.json": { ...config, chat_template: TEMPLATE } });
  assert.equal(one.applyChatTemplate(MESSAGES), "<|im_start|>[user] Hi\n>");
  assert.equal(one.applyChatTemplate(MESSAGES, { addGenerationPrompt: false }), "<|im_start|>[user] Hi\n");
  assert.deepEqual([one.bosToken, one.stopTokens], ["<|im_start|>", [2]]);
  const list = [
    { name: "tool_use", template: "no" },
    { name: "default", template: TEMPLATE },
  ];
  const several = await open("gpt2", { "tokenizer_config.json": { ...config, chat_template: list } });
  assert.equal(several.applyChatTemplate(MESSAGES), "<|im_start|>[user] Hi\n>");
  const file = await open("gpt2", {
    "tokenizer_config.json": { ...config, chat_template: "no" },
    "chat_template.jinja": TEMPLATE,
    "generation_config.json": { eos_token_id: [0, 2] },
    "config.json": { eos_token_id: 1 },
  });
  assert.equal(file.applyChatTemplate(MESSAGES), "<|im_start|>[user] Hi\n>");
  assert.deepEqual(new Set(file.stopTokens), new Set([0, 1, 2]));
});

test("a template that refuses a conversation says so as the model's file", async () => {
  const chat_template = "{% if messages[0].role != 'user' %}{{ raise_exception('only users speak') }}{% endif %}";
  const tokenizer = await open("gpt2", { "tokenizer_config.json": { chat_template } });
  assert.equal(tokenizer.applyChatTemplate(MESSAGES), "");
  assert.throws(
    () => tokenizer.applyChatTemplate([{ role: "system", content: "" }]),
    (error) => error instanceof ModelFileError && /chat_template: .*only users speak/.test(error.message),
  );
});
