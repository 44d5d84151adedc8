/** What of a prompt is public: the tokens before the user's text, as they are whatever that text is. */
import assert from "node:assert/strict";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { openTokenizer } from "../../../layers/tokenizer/open-tokenizer.ts";
import type { Tokenizer } from "../../../layers/tokenizer/tokenizer.ts";
import { encodePrompt as encode } from "../../../protocols/fusion/client/encode-prompt.ts";
import { scratchFolder } from "../../layers/scratch-folder.ts";
import { SMOLLM2_FOLDER, SMOLLM2_MISSING } from "../../layers/smollm2-folder.ts";

const FIXTURES = path.resolve(import.meta.dirname, "../../fixtures/tokenizers");
const TEMPLATE =
  "{{ bos_token }}{% if messages[0].role != 'system' %}<|im_start|>system\nBe brief.<|im_end|>\n{% endif %}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
const NAMES = ["gpt2", "llama3", "qwen2", "merged", "metaspace"];

describe("the ids of a prompt", async () => {
  const scratch = await scratchFolder();
  const warnings: string[] = [];
  const encodePrompt = (tokenizer: Tokenizer, prompt: Parameters<typeof encode>[1], publicPrefix: string | undefined) =>
    encode(tokenizer, prompt, publicPrefix, (text) => void warnings.push(text));

  /** A fixture's tokenizer with a chat template. */
  async function open(name: string): Promise<Tokenizer> {
    const folder = path.join(scratch.path, name);
    await mkdir(folder, { recursive: true });
    await copyFile(path.join(FIXTURES, `${name}.json`), path.join(folder, "tokenizer.json"));
    await writeFile(path.join(folder, "tokenizer_config.json"), JSON.stringify({ chat_template: TEMPLATE }));
    return openTokenizer(folder);
  }

  const wholeOf = (tokenizer: Tokenizer, text: string, chat: boolean, known: string): number[] => {
    if (!chat) return tokenizer.encode(known + text);
    const messages = [...(known === "" ? [] : [{ role: "system", content: known }]), { role: "user", content: text }];
    return tokenizer.encode(tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true }), {
      addSpecial: false,
    });
  };

  for (const name of NAMES)
    it(`of ${name} are those of the whole text, public ones as they stand alone, with at least one secret`, async () => {
      const tokenizer = await open(name);
      const texts = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 });
      const known = fc
        .string({ unit: "grapheme", minLength: 1, maxLength: 12 })
        .filter((text) => !/^(@|none$)/.test(text));
      await fc.assert(
        fc.asyncProperty(texts, fc.boolean(), fc.option(known), async (text, chat, given) => {
          const { publicPrefix, secret } = await encodePrompt(tokenizer, { text, chat }, given ?? undefined);
          const whole = wholeOf(tokenizer, text, chat, given ?? "");
          assert.deepEqual([...publicPrefix, ...secret], whole);
          assert.ok(secret.length > 0 || whole.length === 0);
          if (given === null && !chat) assert.deepEqual(publicPrefix, []);
          // The same public tokens before another text, as far as either has them.
          const other = (await encodePrompt(tokenizer, { text: "other", chat }, given ?? undefined)).publicPrefix;
          const both = Math.min(other.length, publicPrefix.length);
          assert.deepEqual(publicPrefix.slice(0, both), other.slice(0, both));
        }),
        { numRuns: 100 },
      );
    });

  it("have the template's opening as public ones, or what is named as its system message, or none", async () => {
    const tokenizer = await open("gpt2");
    const opening = (system: string): number[] =>
      tokenizer.encode(`<|im_start|>system\n${system}<|im_end|>\n<|im_start|>user\n`, { addSpecial: false });
    const prompt = { text: "Hello there", chat: true };
    assert.deepEqual((await encodePrompt(tokenizer, prompt, undefined)).publicPrefix, opening("Be brief."));
    assert.deepEqual((await encodePrompt(tokenizer, prompt, "Count sheep.")).publicPrefix, opening("Count sheep."));
    const file = await scratch.write("known.txt", "Count sheep.\n");
    assert.deepEqual((await encodePrompt(tokenizer, prompt, `@${file}`)).publicPrefix, opening("Count sheep."));
    assert.deepEqual((await encodePrompt(tokenizer, prompt, "none")).publicPrefix, []);
    assert.deepEqual((await encodePrompt(tokenizer, prompt, "none")).secret, wholeOf(tokenizer, prompt.text, true, ""));
    await assert.rejects(
      encodePrompt(tokenizer, prompt, "@no-such-file"),
      /^Error: publicPrefix no-such-file: expected a readable file, got ENOENT$/,
    );
    await assert.rejects(
      encodePrompt(tokenizer, prompt, "a ".repeat(20_000)),
      /^Error: publicPrefix: expected at most 8192 tokens, got \d+/,
    );
  });

  it("keep a token secret that the prompt's first characters could merge with", async () => {
    const tokenizer = await open("gpt2");
    warnings.length = 0;
    const { publicPrefix, secret } = await encodePrompt(tokenizer, { text: "he", chat: false }, "Be t");
    const alone = tokenizer.encode("Be t");
    assert.deepEqual([...publicPrefix, ...secret], tokenizer.encode("Be the"));
    assert.ok(publicPrefix.length < alone.length);
    assert.deepEqual(publicPrefix, alone.slice(0, publicPrefix.length));
    assert.deepEqual(warnings.splice(0), []);
    assert.deepEqual((await encodePrompt(tokenizer, { text: "x", chat: false }, "Be")).publicPrefix, []);
    assert.match(warnings.splice(0).join(), /^public prefix: no token of it is public, as the prompt goes on with its/);
    // Nor does its length tell how the text begins.
    for (const text of ["he", "x", " a", "\n", "7"])
      assert.deepEqual((await encodePrompt(tokenizer, { text, chat: false }, "Be t")).publicPrefix, publicPrefix);
  });

  it("of SmolLM2 have the 23 tokens before the user's text as public ones", { skip: SMOLLM2_MISSING }, async () => {
    const tokenizer = await openTokenizer(path.join(SMOLLM2_FOLDER, "model.gguf"));
    const { publicPrefix } = await encodePrompt(tokenizer, { text: "Who are you?", chat: true }, undefined);
    assert.equal(publicPrefix.length, 23);
    assert.ok(tokenizer.decode(publicPrefix).endsWith("<|im_start|>user"));
  });
});
