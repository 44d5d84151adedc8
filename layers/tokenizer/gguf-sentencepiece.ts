import type { JsonObject } from "../json-file.ts";
import type { GgufTokenizerParts } from "./gguf-tokenizer-parts.ts";
import { TOKEN_TYPE, type GgufVocabulary } from "./gguf-vocabulary.ts";

/** SentencePiece's space. */
const SPACE = "\u2581";

/**
 * SentencePiece's BPE (tokenizer.ggml.model "llama": Llama 2, TinyLlama, Mistral), which joins the neighbours whose join has the highest
 * score, and writes what it has no token for as bytes. A file has scores and no merges; the merges are every pair that makes a
 * token, the highest score first, as transformers makes them (convert_slow_tokenizer.generate_merges).
 * @throws ModelFileError for user-defined tokens (Gemma's), which SentencePiece finds before anything else, and for missing scores.
 */
export function sentencePieceParts(vocabulary: GgufVocabulary): GgufTokenizerParts {
  const { tokens } = vocabulary;
  const userDefined = tokens.find((_, id) => vocabulary.typeOf(id) === TOKEN_TYPE.userDefined);
  if (userDefined !== undefined) {
    const advice = 'no user-defined tokens for "llama" (use the folder with tokenizer.json)';
    throw vocabulary.fault("token_type", advice, userDefined);
  }
  const scores = vocabulary.value("scores");
  if (!(scores instanceof Float32Array) || scores.length !== tokens.length) {
    throw vocabulary.fault("scores", `${tokens.length} values of float32, one a token`, typeof scores);
  }
  const unknown = tokens.findIndex((_, id) => vocabulary.typeOf(id) === TOKEN_TYPE.unknown);
  if (unknown < 0) throw vocabulary.fault("token_type", "a token of type 2 (unknown)", "none");
  const spaces: JsonObject = { type: "Replace", pattern: { String: " " }, content: SPACE };
  const prefix = vocabulary.switch("add_space_prefix", true);
  return {
    normalizer: prefix ? { type: "Sequence", normalizers: [{ type: "Prepend", prepend: SPACE }, spaces] } : spaces,
    preTokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: SPACE }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...(prefix ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
      ],
    },
    model: { merges: mergesOf(vocabulary, scores), unk_token: tokens[unknown], fuse_unk: true, byte_fallback: true },
    addBos: true,
  };
}

function mergesOf(vocabulary: GgufVocabulary, scores: Float32Array): [string, string][] {
  const ids = new Map<string, number>();
  for (const [id, token] of vocabulary.tokens.entries()) {
    if (vocabulary.typeOf(id) === TOKEN_TYPE.normal) ids.set(token, id);
  }
  const merges: { pair: [string, string]; score: number; left: number; right: number }[] = [];
  for (const [token, id] of ids) {
    let end = 0;
    for (const character of Array.from(token).slice(0, -1)) {
      end += character.length;
      const pair: [string, string] = [token.slice(0, end), token.slice(end)];
      const [left, right] = [ids.get(pair[0]), ids.get(pair[1])];
      if (left !== undefined && right !== undefined) merges.push({ pair, score: scores[id], left, right });
    }
  }
  return merges.sort((a, b) => b.score - a.score || a.left - b.left || a.right - b.right).map(({ pair }) => pair);
}
