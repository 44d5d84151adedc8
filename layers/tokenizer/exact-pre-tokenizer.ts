import type { JsonObject } from "../json-file.ts";

/** GPT-2's pattern, which the ByteLevel part applies. */
const GPT2_PATTERN = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
/** Punctuation as Rust's tokenizers have it: ASCII's, and Unicode's category P. */
const PUNCTUATION_PATTERN = "[\\p{P}\\u0021-\\u002F\\u003A-\\u0040\\u005B-\\u0060\\u007B-\\u007E]";

const split = (regex: string, behavior: "Isolated" | "Removed", invert = false): JsonObject => ({
  type: "Split",
  pattern: { Regex: regex },
  behavior,
  invert,
});

/** Pieces that end at the character: "a  b" in "a ", " ", "b" for a space. */
function mergedWithPrevious(character: string): JsonObject {
  const escaped = `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return split(`[^${escaped}]*${escaped}|[^${escaped}]+`, "Removed", true);
}

/**
 * The same pre-tokenizer in parts that @huggingface/tokenizers does exactly as the Rust original. Measured differences of the others:
 * its Digits knows ASCII digits only (Rust: every number), its ByteLevel, Whitespace and WhitespaceSplit use JavaScript's \s and \w
 * (U+0085 is no space, U+FEFF is one; ASCII words), its Punctuation joins neighbours, and its Split mistakes an inverted Isolated for
 * Removed and doesn't merge. A Split by a pattern has none of these, as the library translates patterns.
 */
export function exactPreTokenizer(part: JsonObject): JsonObject {
  switch (part.type) {
    case "Sequence":
      return { ...part, pretokenizers: (part.pretokenizers as JsonObject[]).map(exactPreTokenizer) };
    case "Digits":
      return split(part.individual_digits === true ? "\\p{N}" : "\\p{N}+", "Isolated");
    case "Whitespace":
      return split("\\w+|[^\\w\\s]+", "Removed", true);
    case "WhitespaceSplit":
      return split("\\s+", "Removed");
    case "Punctuation":
      return split(PUNCTUATION_PATTERN, "Isolated");
    case "Split":
      if (part.behavior === "MergedWithPrevious")
        return mergedWithPrevious((part.pattern as { String: string }).String);
      return part.behavior === "Isolated" ? { ...part, invert: false } : part;
    case "ByteLevel": {
      // A prefix space goes before the pattern is applied, piece by piece, which parts in sequence can't say.
      if (part.use_regex === false || part.add_prefix_space === true) return part;
      return { type: "Sequence", pretokenizers: [split(GPT2_PATTERN, "Isolated"), { ...part, use_regex: false }] };
    }
    default:
      return part;
  }
}
