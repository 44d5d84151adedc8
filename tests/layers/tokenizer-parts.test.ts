import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import type { JsonObject } from "../../layers/json-file.ts";
import { createTokenizer } from "../../layers/tokenizer/create-tokenizer.ts";
import { openTokenizer } from "../../layers/tokenizer/open-tokenizer.ts";
import type { Tokenizer } from "../../layers/tokenizer/tokenizer.ts";
import { shownWords, showing } from "./any-tokenizer.ts";

/** Every part of a tokenizer.json that is taken, on texts of all planes: by fixtures/tokenizers/make-fuzzed.ts from the Rust original. */

const FIXTURES = path.resolve(import.meta.dirname, "../fixtures/tokenizers");

interface Fuzzed {
  readonly shown: readonly {
    readonly kind: string;
    readonly normalizer: object | null;
    readonly preTokenizers: readonly object[];
    readonly added: readonly { readonly content: string }[];
    readonly texts: readonly string[];
    readonly words: readonly (readonly (string | number)[])[];
  }[];
  readonly whole: readonly {
    readonly tokenizer: object;
    readonly texts: readonly string[];
    readonly runs: readonly (readonly number[])[];
    readonly ids: readonly (readonly number[])[];
    readonly plain: readonly (readonly number[])[];
    readonly decoded: readonly string[];
    readonly skipped: readonly string[];
  }[];
}
const { shown, whole } = JSON.parse(await readFile(path.join(FIXTURES, "fuzzed.json"), "utf8")) as Fuzzed;

const create = (json: object): Tokenizer =>
  createTokenizer(json as JsonObject, {
    file: "fuzzed.json",
    bosToken: null,
    stopTokens: [],
    chatTemplate: null,
    specials: {},
  });

for (const kind of new Set(shown.map((entry) => entry.kind))) {
  test(`${kind}: the words of the Rust original`, () => {
    for (const { normalizer, preTokenizers, added, texts, words } of shown.filter((entry) => entry.kind === kind)) {
      const tokenizer = create(showing(normalizer, preTokenizers, added));
      const parts = JSON.stringify([normalizer, preTokenizers, added]);
      texts.forEach((text, i) => {
        assert.deepEqual(shownWords(tokenizer.encode(text)), words[i], `${parts}: ${JSON.stringify(text)}`);
      });
    }
  });
}

test("models, post-processors and decoders: the ids and texts of the Rust original", () => {
  assert.ok(whole.length >= 8);
  for (const { tokenizer: json, texts, runs, ids, plain, decoded, skipped } of whole) {
    const tokenizer = create(json);
    texts.forEach((text, i) => {
      assert.deepEqual(tokenizer.encode(text), ids[i], JSON.stringify(text));
      assert.deepEqual(tokenizer.encode(text, { addSpecial: false }), plain[i], JSON.stringify(text));
    });
    runs.forEach((run, i) => {
      assert.equal(tokenizer.decode(run), decoded[i]);
      assert.equal(tokenizer.decode(run, { skipSpecial: true }), skipped[i]);
      const stream = tokenizer.streamDecoder({ skipSpecial: true });
      assert.equal(run.map((id) => stream.push(id)).join("") + stream.flush(), skipped[i]);
    });
  }
});

for (const name of ["lowercase-sigma", "bert-cjk"]) {
  test(`${name}: the ids of the Rust original`, async () => {
    const folder = path.join(FIXTURES, name);
    const { texts, expected } = JSON.parse(await readFile(path.join(folder, "texts.json"), "utf8")) as {
      readonly texts: readonly string[];
      readonly expected: readonly (readonly number[])[];
    };
    const tokenizer = await openTokenizer(folder);
    assert.deepEqual(
      texts.map((text) => tokenizer.encode(text)),
      expected,
    );
  });
}

test("half a surrogate pair is no text", () => {
  const tokenizer = create(showing(null, []));
  assert.deepEqual(shownWords(tokenizer.encode("a\u{1f600}")), ["aðŁĺĢ"]);
  for (const torn of ["a\ud83d", "\ude00", "\ude00\ud83d"]) {
    assert.throws(
      () => tokenizer.encode(torn),
      /^RangeError: encode: expected Unicode text, got half a surrogate pair at/,
    );
  }
});
