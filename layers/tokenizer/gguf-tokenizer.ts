import type { JsonObject } from "../json-file.ts";
import { ModelFileError, printable } from "../model-file-error.ts";
import type { GgufValue } from "../weights/gguf-header.ts";
import type { TokenizerFacts } from "./create-tokenizer.ts";

/** How a text is cut before merges apply, by tokenizer.ggml.pre. */
interface PreTokenization {
  readonly parts: readonly JsonObject[];
  readonly normalizer?: JsonObject;
  /** A piece that is a token as it is needs no merges. */
  readonly ignoreMerges?: boolean;
  /** What llama.cpp does where the file doesn't say (add_bos_token). */
  readonly addBos?: boolean;
}

const BYTES = (useRegex: boolean): JsonObject => ({
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

/** The patterns of the models' own tokenizer.json; llama.cpp's llama-vocab.cpp has the names. */
const LLAMA3_PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const QWEN2_PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const PRE_TOKENIZATIONS: ReadonlyMap<string, PreTokenization> = new Map<string, PreTokenization>([
  ["gpt-2", { parts: [BYTES(true)] }],
  ["smollm", { parts: [DIGITS, BYTES(true)] }],
  ["starcoder", { parts: [DIGITS, BYTES(true)] }],
  ["llama-bpe", { parts: [splitBy(LLAMA3_PATTERN), BYTES(false)], ignoreMerges: true, addBos: true }],
  ["qwen2", { parts: [splitBy(QWEN2_PATTERN), BYTES(false)], normalizer: { type: "NFC" } }],
]);

/** Values of tokenizer.ggml.token_type. */
const TOKEN_TYPE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/**
 * Builds a tokenizer.json from GGUF metadata, for byte-level BPE ("gpt2") with a pre-tokenizer that is known exactly.
 * @throws ModelFileError naming the kind or the pre-tokenizer that isn't supported, or the fault.
 */
export function readGgufTokenizer(
  file: string,
  metadata: ReadonlyMap<string, GgufValue>,
): { tokenizerJson: JsonObject; facts: TokenizerFacts } {
  const fault = (key: string, expected: string, got: unknown): ModelFileError =>
    new ModelFileError(file, `tokenizer.ggml.${key}: expected ${expected}, got ${printable(got)}`);
  const value = (key: string): GgufValue | undefined => metadata.get(`tokenizer.ggml.${key}`);

  const kind = value("model");
  if (kind !== "gpt2") {
    throw fault(
      "model",
      '"gpt2" (byte-level BPE; other kinds can\'t be done exactly from GGUF: use the folder with tokenizer.json)',
      kind,
    );
  }
  const pre = value("pre");
  const preTokenization = typeof pre === "string" ? PRE_TOKENIZATIONS.get(pre) : undefined;
  if (!preTokenization) {
    throw fault(
      "pre",
      `one of ${[...PRE_TOKENIZATIONS.keys()].join(", ")} (or use the folder with tokenizer.json)`,
      pre,
    );
  }
  const tokens = stringsOf(value("tokens"));
  if (!tokens || tokens.length === 0) throw fault("tokens", "an array of strings", typeof value("tokens"));
  const merges = stringsOf(value("merges"));
  if (!merges) throw fault("merges", "an array of strings", typeof value("merges"));
  const types = value("token_type");
  if (types !== undefined && !(types instanceof Int32Array && types.length === tokens.length)) {
    throw fault("token_type", `${tokens.length} values of int32, one a token`, typeof types);
  }

  const idOf = (key: string): number | undefined => {
    const id = value(key);
    if (id === undefined) return undefined;
    if (typeof id !== "number" || tokens[id] === undefined)
      throw fault(key, `an id below ${tokens.length}`, String(id));
    return id;
  };
  const switchOf = (key: string, otherwise: boolean): boolean => {
    const on = value(key) ?? otherwise;
    if (typeof on !== "boolean") throw fault(key, "a boolean", typeof on);
    return on;
  };
  if (switchOf("add_space_prefix", false)) throw fault("add_space_prefix", "false for byte-level BPE", true);
  const bos = idOf("bos_token_id");
  const eos = idOf("eos_token_id");
  const before = switchOf("add_bos_token", preTokenization.addBos ?? false) ? bos : undefined;
  const after = switchOf("add_eos_token", false) ? eos : undefined;
  const stops = [eos, idOf("eot_token_id"), idOf("eom_token_id")].filter((id) => id !== undefined);
  const template = metadata.get("tokenizer.chat_template");
  if (template !== undefined && typeof template !== "string") {
    throw new ModelFileError(file, `tokenizer.chat_template: expected a string, got ${typeof template}`);
  }

  const vocab = new Map<string, number>();
  for (const [id, token] of tokens.entries()) {
    if (vocab.has(token)) throw fault("tokens", "every token once", token);
    vocab.set(token, id);
  }
  const added = tokens.flatMap((content, id) => {
    const type = types?.[id] ?? TOKEN_TYPE.normal;
    if (type !== TOKEN_TYPE.control && type !== TOKEN_TYPE.userDefined) return [];
    const special = type === TOKEN_TYPE.control;
    return [{ id, content, special, normalized: false, lstrip: false, rstrip: false, single_word: false }];
  });
  const single = [
    ...(before === undefined ? [] : [{ SpecialToken: { id: tokens[before], type_id: 0 } }]),
    { Sequence: { id: "A", type_id: 0 } },
    ...(after === undefined ? [] : [{ SpecialToken: { id: tokens[after], type_id: 0 } }]),
  ];
  return {
    tokenizerJson: {
      added_tokens: added,
      normalizer: preTokenization.normalizer ?? null,
      pre_tokenizer: { type: "Sequence", pretokenizers: preTokenization.parts },
      post_processor: { type: "TemplateProcessing", single, pair: single, special_tokens: {} },
      decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
      model: {
        type: "BPE",
        vocab: Object.fromEntries(vocab),
        merges,
        ignore_merges: preTokenization.ignoreMerges ?? false,
      },
    },
    facts: {
      file,
      bosToken: bos === undefined ? null : tokens[bos],
      stopTokens: [...new Set(stops)],
      chatTemplate: template ?? null,
      specials: {
        ...(bos === undefined ? {} : { bos_token: tokens[bos] }),
        ...(eos === undefined ? {} : { eos_token: tokens[eos] }),
      },
    },
  };
}

const stringsOf = (value: GgufValue | undefined): readonly string[] | null =>
  Array.isArray(value) && (value.length === 0 || typeof value[0] === "string") ? (value as readonly string[]) : null;
