import { CATEGORIES_16 } from "../unicode/categories.ts";
import { CodePoints } from "../unicode/code-points.ts";
import { PUNCTUATION_8 } from "../unicode/tables.ts";
import { BYTE_ALPHABET } from "./byte-alphabet.ts";
import { patternOf, type WrittenPattern } from "./pattern.ts";
import { characterPattern, inverted, splitBy, type Pattern, type SplitBehavior } from "./splitting.ts";

/** A pre-tokenizer of tokenizer.json. */
export type PreTokenizerPart =
  | { readonly type: "Sequence"; readonly pretokenizers: readonly PreTokenizerPart[] }
  | { readonly type: "ByteLevel"; readonly add_prefix_space: boolean; readonly use_regex?: boolean }
  | { readonly type: "Digits"; readonly individual_digits: boolean }
  | { readonly type: "BertPreTokenizer" | "Whitespace" | "WhitespaceSplit" }
  | { readonly type: "Punctuation"; readonly behavior?: SplitBehavior }
  | {
      readonly type: "Split";
      readonly pattern: WrittenPattern;
      readonly behavior: SplitBehavior;
      readonly invert: boolean;
    }
  | {
      readonly type: "Metaspace";
      readonly replacement: string;
      readonly prepend_scheme?: PrependScheme;
      readonly split?: boolean;
    };

/** Whether a text that doesn't begin with a space gets one: each piece, that at a text's beginning, or none. */
export type PrependScheme = "always" | "first" | "never";

/** Cuts a text into pieces, none of them empty; `first` where the text is at the very beginning of what is encoded. */
export type PreTokenizer = (text: string, first: boolean) => string[];

/** GPT-2's pattern, which ByteLevel applies. */
const GPT2_PATTERN = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const WHITESPACE = CATEGORIES_16.whitespace;
/** Of Unicode 17, as Rust's char::is_numeric. */
const NUMBERS = characterPattern(
  CATEGORIES_16.of("N").or(
    CodePoints.ranges([
      [0x11de0, 0x11de9],
      [0x16ff4, 0x16ff6],
    ]),
  ),
);
const SPACES = characterPattern(WHITESPACE);
const PUNCTUATION = characterPattern(CodePoints.parse(PUNCTUATION_8));
const WORD = CATEGORIES_16.word;

/**
 * A pre-tokenizer as tokenizers' pre_tokenizers have it.
 * @throws SyntaxError for a pattern that isn't supported.
 */
export function createPreTokenizer(part: PreTokenizerPart): PreTokenizer {
  switch (part.type) {
    case "Sequence": {
      const steps = part.pretokenizers.map(createPreTokenizer);
      return (text, first) =>
        steps.reduce<string[]>((pieces, step, i) => pieces.flatMap((piece) => step(piece, first && i === 0)), [text]);
    }
    case "ByteLevel": {
      const pattern = part.use_regex === false ? undefined : patternOf({ Regex: GPT2_PATTERN });
      return (text) => {
        const spaced = part.add_prefix_space && !text.startsWith(" ") ? ` ${text}` : text;
        return (pattern ? splitBy(spaced, pattern, "Isolated") : [spaced]).map((piece) => BYTE_ALPHABET.write(piece));
      };
    }
    case "Digits":
      return splitting(NUMBERS, part.individual_digits ? "Isolated" : "Contiguous");
    case "Whitespace":
      return words;
    case "WhitespaceSplit":
      return splitting(SPACES, "Removed");
    case "BertPreTokenizer":
      return (text) => splitBy(text, SPACES, "Removed").flatMap((word) => splitBy(word, PUNCTUATION, "Isolated"));
    case "Punctuation":
      return splitting(PUNCTUATION, part.behavior ?? "Isolated");
    case "Split": {
      const pattern = patternOf(part.pattern);
      return splitting(part.invert ? inverted(pattern) : pattern, part.behavior);
    }
    case "Metaspace":
      return createMetaspace(part);
  }
}

function createMetaspace(part: Extract<PreTokenizerPart, { type: "Metaspace" }>): PreTokenizer {
  const { replacement, prepend_scheme: scheme = "always", split = true } = part;
  const pattern = characterPattern(CodePoints.of(replacement));
  return (text, first) => {
    const marked = text.replaceAll(" ", () => replacement);
    const prepends = !marked.startsWith(replacement) && (scheme === "always" || (scheme === "first" && first));
    const whole = prepends ? replacement + marked : marked;
    return split ? splitBy(whole, pattern, "MergedWithNext") : [whole];
  };
}

const splitting =
  (pattern: Pattern, behavior: SplitBehavior): PreTokenizer =>
  (text) =>
    splitBy(text, pattern, behavior);

/** Runs of word characters and runs of what is neither these nor white space: \w+|[^\w\s]+ of Rust's regex. */
function words(text: string): string[] {
  const found: string[] = [];
  let kind = " ";
  for (const character of text) {
    const codePoint = character.codePointAt(0)!;
    const next = WORD.has(codePoint) ? "w" : WHITESPACE.has(codePoint) ? " " : ".";
    if (next !== " " && next === kind) found[found.length - 1] += character;
    else if (next !== " ") found.push(character);
    kind = next;
  }
  return found;
}
