import { CATEGORIES_16 } from "./categories.ts";
import { CodePoints } from "./code-points.ts";
import { NORMAL_SINCE_9 } from "./tables.ts";

/** What Unicode 9 doesn't know and normalisation would touch; what is unassigned here may be so in an engine's later version. */
const UNKNOWN = CodePoints.parse(NORMAL_SINCE_9).or(CATEGORIES_16.of("Cn"));

/**
 * Unicode normalisation of version 9, as unicode-normalization-alignments has it: a character that came later stays as it is, and
 * nothing composes or is reordered across it. (Those before are as in any later version: Unicode's stability policy.)
 */
export function normalForm(text: string, form: "NFC" | "NFD" | "NFKC" | "NFKD"): string {
  let normal = "";
  let begin = 0;
  let at = 0;
  for (const character of text) {
    const end = at + character.length;
    const codePoint = character.codePointAt(0)!;
    if (codePoint > 0x7f && UNKNOWN.has(codePoint)) {
      normal += text.slice(begin, at).normalize(form) + character;
      begin = end;
    }
    at = end;
  }
  return normal + text.slice(begin).normalize(form);
}
