import { z } from "zod";
import { printable } from "../model-file-error.ts";
import type { DecoderPart } from "./parts/decoder.ts";
import type { NormalizerPart } from "./parts/normalizer.ts";
import type { PostProcessorPart } from "./parts/post-processor.ts";
import type { PreTokenizerPart } from "./parts/pre-tokenizer.ts";

/** Token ids index arrays: far above any vocabulary, and small enough that a forged id is no allocation. */
const MAX_ID = 1 << 22;

const id = z.int().min(0).max(MAX_ID);
const flag = z.boolean().nullish();
const text = z.strictObject({ String: z.string().min(1).max(4096) });
const pattern = z.union([text, z.strictObject({ Regex: z.string().max(4096) })]);
const pair = z.tuple([z.string(), id]);

const normalizer: z.ZodType<NormalizerPart> = z.lazy(() =>
  z.discriminatedUnion("type", [
    z.strictObject({ type: z.enum(["NFC", "NFD", "NFKC", "NFKD"]) }),
    z.strictObject({ type: z.enum(["Lowercase", "StripAccents"]) }),
    z.strictObject({ type: z.literal("Sequence"), normalizers: z.array(normalizer) }),
    z.strictObject({ type: z.literal("Replace"), pattern, content: z.string() }),
    z.strictObject({ type: z.literal("Prepend"), prepend: z.string().min(1) }),
    z.strictObject({ type: z.literal("Strip"), strip_left: z.boolean(), strip_right: z.boolean() }),
    z.strictObject({
      type: z.literal("BertNormalizer"),
      clean_text: z.boolean(),
      handle_chinese_chars: z.boolean(),
      strip_accents: flag,
      lowercase: z.boolean(),
    }),
  ]),
);

const behavior = z.enum(["Removed", "Isolated", "Contiguous", "MergedWithPrevious", "MergedWithNext"]);
/** Of Metaspace, as a pre-tokenizer and as a decoder; files of before 2024 have add_prefix_space alone. */
const metaspace = z
  .strictObject({
    type: z.literal("Metaspace"),
    replacement: z.string().regex(/^[^]$/u),
    prepend_scheme: z.enum(["always", "never", "first"]).optional(),
    add_prefix_space: z.boolean().optional(),
    split: z.boolean().optional(),
    str_rep: z.string().optional(),
  })
  .refine(({ add_prefix_space, prepend_scheme }) => add_prefix_space !== false || prepend_scheme === "never", {
    error: 'expected prepend_scheme "never" with add_prefix_space false',
  });

const preTokenizer: z.ZodType<PreTokenizerPart> = z.lazy(() =>
  z.discriminatedUnion("type", [
    z.strictObject({ type: z.literal("Sequence"), pretokenizers: z.array(preTokenizer) }),
    z.strictObject({
      type: z.literal("ByteLevel"),
      add_prefix_space: z.boolean(),
      trim_offsets: flag,
      use_regex: z.boolean().optional(),
    }),
    z.strictObject({ type: z.literal("Digits"), individual_digits: z.boolean() }),
    z.strictObject({ type: z.enum(["BertPreTokenizer", "Whitespace", "WhitespaceSplit"]) }),
    z.strictObject({ type: z.literal("Punctuation"), behavior: behavior.optional() }),
    z.strictObject({ type: z.literal("Split"), pattern, behavior, invert: z.boolean() }),
    metaspace,
  ]),
);

const templateItem = z.union([
  z.strictObject({ SpecialToken: z.strictObject({ id: z.string(), type_id: z.int() }) }),
  z.strictObject({ Sequence: z.strictObject({ id: z.enum(["A", "B"]), type_id: z.int() }) }),
]);
const specialToken = z.strictObject({ id: z.string(), ids: z.array(id), tokens: z.array(z.string()) });
const postProcessor: z.ZodType<PostProcessorPart> = z.lazy(() =>
  z.discriminatedUnion("type", [
    z.strictObject({ type: z.literal("Sequence"), processors: z.array(postProcessor) }),
    z.strictObject({ type: z.literal("ByteLevel"), add_prefix_space: flag, trim_offsets: flag, use_regex: flag }),
    z.strictObject({
      type: z.literal("TemplateProcessing"),
      single: z.array(templateItem),
      pair: z.array(templateItem),
      special_tokens: z.record(z.string(), specialToken),
    }),
    z.strictObject({ type: z.literal("BertProcessing"), sep: pair, cls: pair }),
    z.strictObject({
      type: z.literal("RobertaProcessing"),
      sep: pair,
      cls: pair,
      trim_offsets: flag,
      add_prefix_space: flag,
    }),
  ]),
);

const decoder: z.ZodType<DecoderPart> = z.lazy(() =>
  z.discriminatedUnion("type", [
    z.strictObject({ type: z.literal("Sequence"), decoders: z.array(decoder) }),
    z.strictObject({ type: z.literal("ByteLevel"), add_prefix_space: flag, trim_offsets: flag, use_regex: flag }),
    z.strictObject({ type: z.literal("WordPiece"), prefix: z.string(), cleanup: z.boolean() }),
    z.strictObject({ type: z.literal("Replace"), pattern: text, content: z.string() }),
    z.strictObject({
      type: z.literal("Strip"),
      content: z.string().regex(/^[^]$/u),
      start: z.int().min(0).max(64),
      stop: z.int().min(0).max(64),
    }),
    z.strictObject({ type: z.enum(["Fuse", "ByteFallback"]) }),
    metaspace,
  ]),
);

// By hand, as a schema for each of up to a million entries takes seconds.
const vocab = z.custom<Record<string, number>>(
  (value) =>
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((at) => Number.isInteger(at) && at >= 0 && at <= MAX_ID),
  { error: `expected an object of token ids of 0 to ${MAX_ID}` },
);
const merges = z.custom<(string | [string, string])[]>(Array.isArray, { error: "expected an array of merges" });
const model = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("BPE"),
    vocab,
    merges,
    unk_token: z.string().nullish(),
    fuse_unk: flag,
    byte_fallback: flag,
    ignore_merges: flag,
    // What would change the result and isn't done here.
    dropout: z.union([z.literal(0), z.null()]).optional(),
    continuing_subword_prefix: z.union([z.literal(""), z.null()]).optional(),
    end_of_word_suffix: z.union([z.literal(""), z.null()]).optional(),
  }),
  z.strictObject({
    type: z.literal("WordPiece"),
    vocab,
    unk_token: z.string(),
    continuing_subword_prefix: z.string(),
    max_input_chars_per_word: z.int().min(1).max(10_000),
  }),
]);

/** What of tokenizer.json is used; other keys at the top (version, truncation, padding) are left alone, as transformers does. */
export const tokenizerSchema = z.looseObject({
  model,
  added_tokens: z
    .array(
      z.strictObject({
        id,
        content: z.string().min(1),
        single_word: z.boolean().optional(),
        lstrip: z.boolean().optional(),
        rstrip: z.boolean().optional(),
        normalized: z.boolean().optional(),
        special: z.boolean().optional(),
      }),
    )
    .default([]),
  normalizer: normalizer.nullish(),
  pre_tokenizer: preTokenizer.nullish(),
  post_processor: postProcessor.nullish(),
  decoder: decoder.nullish(),
});

/** What zod found, in the words of our errors. */
export function describeIssue(issue: z.core.$ZodIssue): string {
  if (issue.code === "unrecognized_keys")
    return `expected known keys only, got ${issue.keys.map(printable).join(", ")}`;
  // A part's type that isn't in the list: zod's types don't have the list, its issues do.
  if (issue.code === "invalid_union" && "options" in issue && Array.isArray(issue.options)) {
    return `expected one of ${issue.options.join(", ")}, got another, which isn't supported`;
  }
  return issue.message;
}
