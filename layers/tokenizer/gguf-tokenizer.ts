import type { JsonObject } from "../json-file.ts";
import { ModelFileError } from "../model-file-error.ts";
import type { GgufValue } from "../weights/gguf-header.ts";
import type { TokenizerFacts } from "./create-tokenizer.ts";
import { byteLevelParts } from "./gguf-byte-level.ts";
import { sentencePieceParts } from "./gguf-sentencepiece.ts";
import type { GgufTokenizerParts } from "./gguf-tokenizer-parts.ts";
import { GgufVocabulary, TOKEN_TYPE } from "./gguf-vocabulary.ts";

/** By tokenizer.ggml.model. */
const KINDS: ReadonlyMap<string, (vocabulary: GgufVocabulary) => GgufTokenizerParts> = new Map([
  ["gpt2", byteLevelParts],
  ["llama", sentencePieceParts],
]);

/**
 * Builds a tokenizer.json from GGUF metadata: byte-level BPE ("gpt2") and SentencePiece's BPE ("llama").
 * @throws ModelFileError naming the kind or the pre-tokenizer that isn't supported, or the fault.
 */
export function readGgufTokenizer(
  file: string,
  metadata: ReadonlyMap<string, GgufValue>,
): { tokenizerJson: JsonObject; facts: TokenizerFacts } {
  const kind = metadata.get("tokenizer.ggml.model");
  const partsOf = typeof kind === "string" ? KINDS.get(kind) : undefined;
  if (!partsOf) {
    const known = [...KINDS.keys()].map((name) => JSON.stringify(name)).join(" or ");
    const got = typeof kind === "string" ? JSON.stringify(kind) : typeof kind === "undefined" ? "nothing" : typeof kind;
    const advice = "use the folder with tokenizer.json";
    throw new ModelFileError(file, `tokenizer.ggml.model: expected ${known}, got ${got}; ${advice}`);
  }
  const vocabulary = new GgufVocabulary(file, metadata);
  const parts = partsOf(vocabulary);
  const { tokens } = vocabulary;
  const template = metadata.get("tokenizer.chat_template");
  if (template !== undefined && typeof template !== "string") {
    throw new ModelFileError(file, `tokenizer.chat_template: expected a string, got ${typeof template}`);
  }

  const bos = vocabulary.id("bos_token_id");
  const eos = vocabulary.id("eos_token_id");
  const stops = [eos, vocabulary.id("eot_token_id"), vocabulary.id("eom_token_id")].filter((id) => id !== undefined);
  const special: Record<string, object> = {};
  const around = (key: string, otherwise: boolean, id: number | undefined): JsonObject[] => {
    if (!vocabulary.switch(key, otherwise) || id === undefined) return [];
    special[tokens[id]] = { id: tokens[id], ids: [id], tokens: [tokens[id]] };
    return [{ SpecialToken: { id: tokens[id], type_id: 0 } }];
  };
  const single = [
    ...around("add_bos_token", parts.addBos, bos),
    { Sequence: { id: "A", type_id: 0 } },
    ...around("add_eos_token", false, eos),
  ];
  const added = tokens.flatMap((content, id) => {
    const type = vocabulary.typeOf(id);
    const special = type === TOKEN_TYPE.control || type === TOKEN_TYPE.unknown;
    if (!special && type !== TOKEN_TYPE.userDefined) return [];
    return [{ id, content, special, normalized: false, lstrip: false, rstrip: false, single_word: false }];
  });
  return {
    tokenizerJson: {
      added_tokens: added,
      normalizer: parts.normalizer,
      pre_tokenizer: parts.preTokenizer,
      post_processor: { type: "TemplateProcessing", single, pair: single, special_tokens: special },
      decoder: parts.decoder,
      model: { type: "BPE", vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), ...parts.model },
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
