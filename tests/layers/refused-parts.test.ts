import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import type { JsonObject } from "../../layers/json-file.ts";
import { ModelFileError } from "../../layers/model-file-error.ts";
import { createTokenizer } from "../../layers/tokenizer/create-tokenizer.ts";

/** Parts of a tokenizer.json that can't be done exactly as the Rust original does them: refused by name when the file is read. */

const FIXTURE = path.resolve(import.meta.dirname, "../fixtures/tokenizers/gpt2.json");
const GOOD = JSON.parse(await readFile(FIXTURE, "utf8")) as object;
const added = (...tokens: readonly object[]): object => ({ ...GOOD, added_tokens: tokens });
const split = (Regex: string): object => ({
  ...GOOD,
  pre_tokenizer: { type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false },
});
const templateOf = (single: readonly object[]): object => ({
  type: "TemplateProcessing",
  single,
  pair: [],
  special_tokens: {},
});

const PARTS: readonly (readonly [fault: string, content: object, expected: RegExp])[] = [
  [
    "an added token twice",
    { ...GOOD, added_tokens: [0, 0].map((id) => ({ id, content: "<|endoftext|>" })) },
    /added token "<\|endoftext\|>": expected it once, got it again/,
  ],
  [
    "an added token with an id that the Rust original wouldn't give it",
    added({ content: "new", id: 421 }),
    /added token "new": expected the next id behind the vocabulary, 420, got 421/,
  ],
  [
    "two added tokens of the same text when normalised",
    {
      ...GOOD,
      normalizer: { type: "Lowercase" },
      added_tokens: ["New", "new"].map((content, i) => ({ id: 420 + i, content, normalized: true })),
    },
    /added token "new": expected a text of its own, got that of "New"/,
  ],
  [
    "an added token of no text when normalised",
    {
      ...GOOD,
      normalizer: { type: "Strip", strip_left: true, strip_right: true },
      added_tokens: [{ id: 420, content: "  ", normalized: true }],
    },
    /added token " {2}": expected a text when normalised, got none/,
  ],
  [
    "a replacement of what can be empty",
    { ...GOOD, normalizer: { type: "Replace", pattern: { Regex: "\\s*" }, content: " " } },
    /pattern: expected one that can't match nothing, to replace, got "\\\\s\*"/,
  ],
  [
    "a replacement of an empty text",
    { ...GOOD, normalizer: { type: "Replace", pattern: { String: "" }, content: " " } },
    /normalizer.pattern/,
  ],
  [
    "BERT's normaliser that doesn't say whether it cleans",
    { ...GOOD, normalizer: { type: "BertNormalizer", lowercase: true, handle_chinese_chars: true } },
    /normalizer.clean_text/,
  ],
  [
    "Metaspace at a text's beginning, where it isn't known",
    {
      ...GOOD,
      normalizer: { type: "StripAccents" },
      pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: true },
    },
    /pre_tokenizer: expected "always" or "never" behind this normalizer \(StripAccents\), got "first"/,
  ],
  [
    "Metaspace at a text's beginning, behind another",
    {
      ...GOOD,
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [
          { type: "WhitespaceSplit" },
          { type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: true },
        ],
      },
    },
    /pre_tokenizer: expected Metaspace with "first" before any other, got WhitespaceSplit/,
  ],
  ...(
    [
      ["a back-reference", "(a)\\1", /at 4: expected an escape that is supported, got "1"/],
      ["a named group", "(?<n>a)", /at 1: expected a kind of group that is supported, got "\?<n>a\)"/],
      ["an option", "(?i)a", /at 1: expected a kind of group that is supported/],
      ["a property that isn't known", "\\p{Emoji}", /expected a property that is supported, got "Emoji"/],
      ["letters outside ASCII without case", "(?i:é)", /expected ASCII characters only where case is ignored/],
      [
        "a ligature's letters without case",
        "(?i:off)",
        /expected no letters that one character may stand for .*, got ff/,
      ],
      ["a repetition behind a place", "(?<=a+)b", /expected characters and their alternatives behind a place/],
      ["a repetition of nothing", "(?:a*)*", /expected something to repeat that isn't empty, got what can be/],
      ["a count above 1000", "a{1,1001}", /expected counts of at most 1000, the smaller first, got \{1,1001\}/],
      ["a range that ends before it begins", "[b-a]", /expected a range that ends with a later character/],
      ["a set that begins a range", "[\\d-z]", /expected a character at the beginning of a range/],
      ["an empty class", "[", /expected the "\]" of a class, got its end/],
      ["a closing bracket alone", "a)", /expected the end or "\|"/],
      ["a star alone", "*a", /expected something to repeat/],
    ] as const
  ).map(([fault, Regex, expected]) => [`a pattern with ${fault}`, split(Regex), expected] as const),
  [
    "a token around the text that isn't explained",
    {
      ...GOOD,
      post_processor: templateOf([{ SpecialToken: { id: "<|endoftext|>", type_id: 0 } }]),
    },
    /post_processor: expected an entry of special_tokens for every token, got none for "<\|endoftext\|>"/,
  ],
  [
    "a second text around the text",
    { ...GOOD, post_processor: { ...templateOf([{ Sequence: { id: "B", type_id: 0 } }]) } },
    /post_processor: expected "A" alone in single, got "B"/,
  ],
  [
    "two parts that put tokens around the text",
    { ...GOOD, post_processor: { type: "Sequence", processors: [templateOf([]), templateOf([])] } },
    /post_processor: expected one part that adds tokens, got TemplateProcessing, TemplateProcessing/,
  ],
];

for (const [fault, content, expected] of PARTS) {
  test(`refused: ${fault}`, () => {
    const facts = { file: "any.json", bosToken: null, stopTokens: [], chatTemplate: null, specials: {} };
    assert.throws(
      () => createTokenizer(content as JsonObject, facts),
      (error) => {
        assert.ok(error instanceof ModelFileError, String(error));
        assert.match(error.message, /^any\.json: tokenizer/);
        assert.match(error.message, expected);
        return true;
      },
    );
  });
}
