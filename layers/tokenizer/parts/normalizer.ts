import { CATEGORIES_16 } from "../unicode/categories.ts";
import { CodePoints } from "../unicode/code-points.ts";
import { lowerCase } from "../unicode/lower-case.ts";
import { normalForm } from "../unicode/normal-form.ts";
import { MARKS_9, NONSPACING_8, OTHER_8 } from "../unicode/tables.ts";
import { patternOf, type WrittenPattern } from "./pattern.ts";

/** A normaliser of tokenizer.json. */
export type NormalizerPart =
  | { readonly type: "NFC" | "NFD" | "NFKC" | "NFKD" }
  | { readonly type: "Lowercase" | "StripAccents" }
  | { readonly type: "Sequence"; readonly normalizers: readonly NormalizerPart[] }
  | { readonly type: "Replace"; readonly pattern: WrittenPattern; readonly content: string }
  | { readonly type: "Prepend"; readonly prepend: string }
  | { readonly type: "Strip"; readonly strip_left: boolean; readonly strip_right: boolean }
  | {
      readonly type: "BertNormalizer";
      readonly clean_text: boolean;
      readonly handle_chinese_chars: boolean;
      readonly strip_accents?: boolean | null;
      readonly lowercase: boolean;
    };

export type Normalizer = (text: string) => string;

const MARKS = CodePoints.parse(MARKS_9);
const NONSPACING = CodePoints.parse(NONSPACING_8);
const OTHER = CodePoints.parse(OTHER_8);
const WHITESPACE = CATEGORIES_16.whitespace;
/** What the original takes for ideographs: of extension E the first 256 are missing, and all later ones. */
const IDEOGRAPHS = CodePoints.ranges([
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xf900, 0xfaff],
  [0x20000, 0x2a6df],
  [0x2a700, 0x2b81f],
  [0x2b920, 0x2ceaf],
  [0x2f800, 0x2fa1f],
]);

/**
 * A normaliser as tokenizers' normalizers have it, character by character.
 * @throws SyntaxError for a pattern that isn't supported.
 */
export function createNormalizer(part: NormalizerPart): Normalizer {
  switch (part.type) {
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD": {
      const form = part.type;
      return (text) => normalForm(text, form);
    }
    case "Lowercase":
      return lowerCase;
    case "StripAccents":
      return (text) => map(text, (character, codePoint) => (MARKS.has(codePoint) ? "" : character));
    case "Sequence": {
      const steps = part.normalizers.map(createNormalizer);
      return (text) => steps.reduce((normal, step) => step(normal), text);
    }
    case "Replace": {
      const pattern = patternOf(part.pattern, "one that can't match nothing, to replace");
      return (text) =>
        pattern(text)
          .map(({ start, end, matched }) => (matched ? part.content : text.slice(start, end)))
          .join("");
    }
    case "Prepend":
      return (text) => (text === "" ? "" : part.prepend + text);
    case "Strip":
      return (text) => strip(text, part.strip_left, part.strip_right);
    case "BertNormalizer":
      return createBert(part);
  }
}

function createBert(part: Extract<NormalizerPart, { type: "BertNormalizer" }>): Normalizer {
  const stripAccents = part.strip_accents ?? part.lowercase;
  return (text) => {
    let normal = text;
    if (part.clean_text) {
      normal = map(normal, (character, codePoint) =>
        OTHER.has(codePoint) ? "" : WHITESPACE.has(codePoint) ? " " : character,
      );
    }
    if (part.handle_chinese_chars)
      normal = map(normal, (character, codePoint) => (IDEOGRAPHS.has(codePoint) ? ` ${character} ` : character));
    if (stripAccents) {
      normal = map(normalForm(normal, "NFD"), (character, codePoint) => (NONSPACING.has(codePoint) ? "" : character));
    }
    return part.lowercase ? lowerCase(normal) : normal;
  };
}

function map(text: string, change: (character: string, codePoint: number) => string): string {
  let changed = "";
  for (const character of text) changed += change(character, character.codePointAt(0)!);
  return changed;
}

/** All white space is of the first plane. */
function strip(text: string, left: boolean, right: boolean): string {
  let [start, end] = [0, text.length];
  if (left) while (start < end && WHITESPACE.has(text.charCodeAt(start))) start++;
  if (right) while (end > start && WHITESPACE.has(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}
