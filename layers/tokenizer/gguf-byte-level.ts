import type { JsonObject } from "../json-file.ts";
import type { GgufTokenizerParts } from "./gguf-tokenizer-parts.ts";
import type { GgufVocabulary } from "./gguf-vocabulary.ts";

/** How a text is cut before merges apply, by tokenizer.ggml.pre. */
interface PreTokenization {
  readonly parts: readonly JsonObject[];
  readonly normalizer?: JsonObject;
  /** A piece that is a token as it is needs no merges. */
  readonly ignoreMerges?: boolean;
  /** What llama.cpp does where the file doesn't say (add_bos_token). */
  readonly addBos?: boolean;
}

const bytes = (useRegex: boolean): JsonObject => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
});
const DIGITS: JsonObject = { type: "Digits", individual_digits: true };
const splitBy = (regex: string): JsonObject => ({
  type: "Split",
  pattern: { Regex: regex },
  behavior: "Isolated",
  invert: false,
});

/** The patterns of the models' own tokenizer.json; llama.cpp's llama-vocab.cpp has the names. They differ in the digits they join. */
const modernPattern = (digits: string): string =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

const PRE_TOKENIZATIONS: ReadonlyMap<string, PreTokenization> = new Map<string, PreTokenization>([
  ["gpt-2", { parts: [bytes(true)] }],
  ["smollm", { parts: [DIGITS, bytes(true)] }],
  ["starcoder", { parts: [DIGITS, bytes(true)] }],
  ["llama-bpe", { parts: [splitBy(modernPattern("\\p{N}{1,3}")), bytes(false)], ignoreMerges: true, addBos: true }],
  ["qwen2", { parts: [splitBy(modernPattern("\\p{N}")), bytes(false)], normalizer: { type: "NFC" } }],
]);

/**
 * Byte-level BPE (tokenizer.ggml.model "gpt2"), with a pre-tokenizer that is known exactly.
 * @throws ModelFileError naming one that isn't, or where there are no merges.
 */
export function byteLevelParts(vocabulary: GgufVocabulary): GgufTokenizerParts {
  const pre = vocabulary.value("pre");
  const found = typeof pre === "string" ? PRE_TOKENIZATIONS.get(pre) : undefined;
  if (!found) {
    const known = [...PRE_TOKENIZATIONS.keys()].join(", ");
    throw vocabulary.fault("pre", `one of ${known} (or use the folder with tokenizer.json)`, pre);
  }
  if (vocabulary.switch("add_space_prefix", false)) {
    throw vocabulary.fault("add_space_prefix", "false for byte-level BPE", true);
  }
  return {
    normalizer: found.normalizer ?? null,
    preTokenizer: { type: "Sequence", pretokenizers: found.parts },
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: { merges: vocabulary.strings("merges"), ignore_merges: found.ignoreMerges ?? false },
    addBos: found.addBos ?? false,
  };
}
