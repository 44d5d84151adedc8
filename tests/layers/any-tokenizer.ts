/** Tokenizers for comparing with the Rust original: every part that is taken. */
import fc from "fast-check";
import { ANY_PATTERN } from "./any-pattern.ts";

const behavior = fc.constantFrom("Removed", "Isolated", "Contiguous", "MergedWithPrevious", "MergedWithNext");

/** Any normaliser, by its type. */
export const NORMALIZERS: Readonly<Record<string, fc.Arbitrary<object>>> = {
  ...Object.fromEntries(
    ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents"].map((type) => [type, fc.constant({ type })]),
  ),
  Replace: fc.record({
    type: fc.constant("Replace"),
    pattern: ANY_PATTERN,
    content: fc.constantFrom("", " ", "▁", "xy", "$&"),
  }),
  Prepend: fc.record({ type: fc.constant("Prepend"), prepend: fc.constantFrom("▁", " a") }),
  Strip: fc.record({ type: fc.constant("Strip"), strip_left: fc.boolean(), strip_right: fc.boolean() }),
  BertNormalizer: fc.record({
    type: fc.constant("BertNormalizer"),
    clean_text: fc.boolean(),
    handle_chinese_chars: fc.boolean(),
    strip_accents: fc.constantFrom(null, true, false),
    lowercase: fc.boolean(),
  }),
};
const anyNormalizer = fc.oneof(...Object.values(NORMALIZERS));

/** Any pre-tokenizer, by its type. */
export const PRE_TOKENIZERS: Readonly<Record<string, fc.Arbitrary<object>>> = {
  ByteLevel: fc.record({
    type: fc.constant("ByteLevel"),
    add_prefix_space: fc.boolean(),
    trim_offsets: fc.boolean(),
    use_regex: fc.boolean(),
  }),
  Digits: fc.record({ type: fc.constant("Digits"), individual_digits: fc.boolean() }),
  ...Object.fromEntries(
    ["BertPreTokenizer", "Whitespace", "WhitespaceSplit"].map((type) => [type, fc.constant({ type })]),
  ),
  Punctuation: fc.record({ type: fc.constant("Punctuation"), behavior }),
  Split: fc.record({ type: fc.constant("Split"), pattern: ANY_PATTERN, behavior, invert: fc.boolean() }),
  Metaspace: fc.record({
    type: fc.constant("Metaspace"),
    replacement: fc.constantFrom("▁", "_", "𝄞"),
    prepend_scheme: fc.constantFrom("always", "never", "first"),
    split: fc.boolean(),
  }),
};
const anyPreTokenizer = fc.oneof(...Object.values(PRE_TOKENIZERS));

/** The characters of byte-level BPE, in the order of bytes. */
const BYTES = (() => {
  const visible = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let others = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(visible(byte) ? byte : others++));
})();
/** Its ids tell where pieces begin and what bytes they have: what normalisers and pre-tokenizers did, and nothing else. */
const SHOWING = {
  type: "WordPiece",
  unk_token: "[U]",
  continuing_subword_prefix: "##",
  max_input_chars_per_word: 10_000,
  vocab: Object.fromEntries(["[U]", ...BYTES, ...BYTES.map((byte) => `##${byte}`)].map((token, id) => [token, id])),
};
const SHOW_BYTES = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false };

interface Added {
  readonly content: string;
}

/** Added tokens with the ids that the original gives them. */
function numbered(added: readonly Added[], vocab: Readonly<Record<string, number>>): object[] {
  let next = Object.keys(vocab).length;
  return added.map((token) => ({ id: Object.hasOwn(vocab, token.content) ? vocab[token.content] : next++, ...token }));
}

/** A tokenizer that shows what a normaliser and pre-tokenizers do. */
export function showing(
  normalizer: object | null,
  preTokenizers: readonly object[],
  added: readonly Added[] = [],
): object {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: numbered(added, SHOWING.vocab),
    normalizer,
    pre_tokenizer: { type: "Sequence", pretokenizers: [...preTokenizers, SHOW_BYTES] },
    post_processor: null,
    decoder: null,
    model: SHOWING,
  };
}

const SHOWN = Object.keys(SHOWING.vocab);

/** What the ids of a showing tokenizer stand for: words in the byte alphabet, and ids of added tokens. */
export function shownWords(ids: readonly number[]): (string | number)[] {
  const words: (string | number)[] = [];
  for (const id of ids) {
    const token = id < SHOWN.length ? SHOWN[id] : id;
    const last = words.at(-1);
    // "#" alone is the byte's own token.
    const continues = typeof token === "string" && token.length > 2 && token.startsWith("##");
    if (continues && typeof last === "string") words[words.length - 1] = last + token.slice(2);
    else words.push(token);
  }
  return words;
}

const addedTokens = fc
  .uniqueArray(
    fc.constantFrom(
      "<s>",
      "</s>",
      "<m>",
      "the",
      " the",
      "S",
      "ſ",
      "σ",
      "İ",
      "é",
      "½",
      "[X]",
      "a b",
      "  ",
      "\u200d",
      "𠀀",
      "ab",
      "b",
    ),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  .chain((contents) =>
    fc.tuple(
      ...contents.map((content) =>
        fc.record({
          content: fc.constant(content),
          single_word: fc.boolean(),
          lstrip: fc.boolean(),
          rstrip: fc.boolean(),
          normalized: fc.boolean(),
          special: fc.boolean(),
        }),
      ),
    ),
  );

const PIECES = [
  "a",
  "b",
  "c",
  "e",
  "s",
  "t",
  " ",
  "▁",
  "é",
  "中",
  "😀",
  "1",
  "'",
  "ab",
  "bc",
  "abc",
  "▁a",
  "st",
  "▁the",
  "th",
  "he",
  "the",
] as const;
const BYTE_TOKENS = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);

/** BPE with any merges, and what it does with what it doesn't know. */
const bytePairs = fc
  .record({
    pieces: fc.shuffledSubarray([...PIECES], { minLength: 8 }),
    bytes: fc.constantFrom([], BYTE_TOKENS, BYTE_TOKENS.slice(0, 0xe5)),
    unk: fc.boolean(),
    fuse_unk: fc.boolean(),
    ignore_merges: fc.boolean(),
    order: fc.array(fc.nat(), { minLength: 30, maxLength: 30 }),
  })
  .map(({ pieces, bytes, unk, fuse_unk, ignore_merges, order }) => {
    const tokens = ["<unk>", ...bytes, ...pieces];
    const known = new Set(tokens);
    const merges = [...pieces, "<unk>"].flatMap((left) =>
      pieces.filter((right) => known.has(left + right)).map((right): [string, string] => [left, right]),
    );
    const placed = merges.map((merge, i) => ({ merge, at: order[i % order.length] }));
    return {
      type: "BPE",
      dropout: null,
      unk_token: unk ? "<unk>" : null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk,
      byte_fallback: bytes.length > 0,
      ignore_merges,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: placed.sort((a, b) => a.at - b.at).map(({ merge }) => merge),
    };
  });
const wordPieces = fc
  .record({
    pieces: fc.shuffledSubarray([...PIECES], { minLength: 8 }),
    most: fc.constantFrom(1, 3, 100),
    prefix: fc.constantFrom("##", ""),
  })
  .map(({ pieces, most, prefix }) => {
    const tokens = new Set(["<unk>", ...pieces, ...pieces.map((piece) => prefix + piece)]);
    return {
      type: "WordPiece",
      unk_token: "<unk>",
      continuing_subword_prefix: prefix,
      max_input_chars_per_word: most,
      vocab: Object.fromEntries([...tokens].map((token, id) => [token, id])),
    };
  });
const SPECIALS = {
  "<s>": { id: "<s>", ids: [0], tokens: ["<s>"] },
  two: { id: "two", ids: [1, 2], tokens: ["x", "y"] },
};
const templateItem = fc.constantFrom(
  { SpecialToken: { id: "<s>", type_id: 0 } },
  { SpecialToken: { id: "two", type_id: 1 } },
  { Sequence: { id: "A", type_id: 0 } },
);
const byteLevelAround = { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true };
const around = fc.oneof(
  fc.array(templateItem, { minLength: 1, maxLength: 4 }).map((single) => ({
    type: "TemplateProcessing",
    single,
    pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 0 } }],
    special_tokens: SPECIALS,
  })),
  fc.constantFrom<object>(
    { type: "BertProcessing", sep: ["b", 2], cls: ["a", 1] },
    { type: "RobertaProcessing", sep: ["b", 2], cls: ["a", 1], trim_offsets: true, add_prefix_space: false },
  ),
);
const postProcessor = fc.oneof(
  fc.constant(null),
  fc.constant(byteLevelAround),
  around,
  around.map((part) => ({ type: "Sequence", processors: [byteLevelAround, part] })),
);

/** Any decoder, by its type. */
export const DECODERS: Readonly<Record<string, fc.Arbitrary<object>>> = {
  ByteLevel: fc.constant(byteLevelAround),
  ByteFallback: fc.constant({ type: "ByteFallback" }),
  Fuse: fc.constant({ type: "Fuse" }),
  WordPiece: fc.record({
    type: fc.constant("WordPiece"),
    prefix: fc.constantFrom("##", "▁", ""),
    cleanup: fc.boolean(),
  }),
  Replace: fc.record({
    type: fc.constant("Replace"),
    pattern: fc.constantFrom({ String: "▁" }, { String: "a" }, { String: "." }),
    content: fc.constantFrom(" ", "", "$&"),
  }),
  Strip: fc.record({
    type: fc.constant("Strip"),
    content: fc.constantFrom(" ", "a", "😀"),
    start: fc.nat(2),
    stop: fc.constant(0),
  }),
  Metaspace: fc.record({
    type: fc.constant("Metaspace"),
    replacement: fc.constantFrom("▁", "a"),
    prepend_scheme: fc.constantFrom("always", "never", "first"),
    split: fc.boolean(),
  }),
};
const anyDecoder = fc.oneof(...Object.values(DECODERS));
const decoders = fc.oneof(
  fc.constant(null),
  anyDecoder,
  fc.array(anyDecoder, { minLength: 1, maxLength: 4 }).map((decoders) => ({ type: "Sequence", decoders })),
);
/** Tokens that decoders treat in their own ways. */
const ODD_TOKENS = [
  "▁▁a",
  " .",
  " do not",
  "a do not b",
  " n't",
  "##a",
  "##",
  "é",
  "Ġ",
  "Ã",
  "©",
  " ",
  "<0xZZ>",
  "<0x+A>",
  "\ufeff",
  "😀b",
  "a▁",
];

/** A tokenizer whose model, post-processor, added tokens and decoder are any. */
const whole = fc
  .record({
    model: fc.oneof(bytePairs, wordPieces),
    normalizer: fc.option(anyNormalizer),
    preTokenizer: fc.option(anyPreTokenizer),
    post_processor: postProcessor,
    decoder: decoders,
    added: fc.option(addedTokens),
  })
  .map(({ model, normalizer, preTokenizer, added, ...parts }) => {
    const vocab: Record<string, number> = { ...model.vocab };
    for (const token of ODD_TOKENS) vocab[token] ??= Object.keys(vocab).length;
    return {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: numbered(added ?? [], vocab),
      normalizer,
      pre_tokenizer: preTokenizer,
      ...parts,
      model: { ...model, vocab },
    };
  });

/** Tokenizers by what of them is random: parts alone by type, sequences, added tokens, and all of it. */
export const ANY_TOKENIZER: Readonly<Record<string, fc.Arbitrary<object>>> = {
  ...Object.fromEntries(
    Object.entries(NORMALIZERS).map(([type, part]) => [`normalizer ${type}`, part.map((part) => showing(part, []))]),
  ),
  ...Object.fromEntries(
    Object.entries(PRE_TOKENIZERS).map(([type, part]) => [
      `pre-tokenizer ${type}`,
      part.map((part) => showing(null, [part])),
    ]),
  ),
  "sequences of normalizers and pre-tokenizers": fc
    .tuple(fc.array(anyNormalizer, { maxLength: 3 }), fc.array(anyPreTokenizer, { maxLength: 3 }))
    .map(([normalizers, parts]) => showing({ type: "Sequence", normalizers }, parts)),
  "Metaspace at the beginning": fc
    .tuple(
      fc.array(fc.oneof(...["NFC", "NFKD", "Lowercase", "Prepend", "Replace"].map((type) => NORMALIZERS[type])), {
        maxLength: 2,
      }),
      PRE_TOKENIZERS.Metaspace.map((part) => ({ ...part, prepend_scheme: "first" })),
      fc.option(addedTokens, { nil: [] }),
    )
    .map(([normalizers, metaspace, added]) =>
      showing(
        normalizers.length === 0 ? null : { type: "Sequence", normalizers },
        [metaspace],
        normalizers.length === 0 ? added : added.map((token) => ({ ...token, normalized: false })),
      ),
    ),
  "added tokens": fc
    .tuple(fc.option(anyNormalizer), fc.array(anyPreTokenizer, { maxLength: 1 }), addedTokens)
    .map(([normalizer, parts, added]) => showing(normalizer, parts, added)),
  "models, post-processors, decoders": whole,
};

/** One more than a tokenizer's largest id. */
export function vocabularyOf(tokenizer: object): number {
  const { model, added_tokens } = tokenizer as {
    readonly model: { readonly vocab: Readonly<Record<string, number>> };
    readonly added_tokens: readonly { readonly id: number }[];
  };
  return Math.max(...Object.values(model.vocab), ...added_tokens.map(({ id }) => id)) + 1;
}
