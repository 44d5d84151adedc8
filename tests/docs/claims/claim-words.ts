/** What makes a sentence a claim of what is hidden, read or proved; such a sentence names what it rests on. */

const WORDS = [
  "hides?|hidden from|hid it|hide it|hide a prompt|hides nothing|hide nothing",
  "reads? (?:it(?! from)|them|all|every|most|everything|nearly|the prompt|whole|its)|read (?:all|every|by)|are read|were read",
  "recover(?:s|ed)?|decode(?:s|d)?|invert(?:s|ed|ible)?|undo(?:es)?|give(?:s|n)? (?:away|everything|a CompNode)",
  "every (?:earlier |hidden )?token|most tokens(?! to)|(?:no|every) single party|without an attack",
  "learns? (?:nothing|no|more|only|lengths|the|only)|sees? nothing|says? nothing|tells? nothing|nothing but lengths|nothing to",
  "no leak|leaks?|breaks|broken|refuted|confirmed|withst(?:and|ood)s?",
  "nothing[:;]|nothing, unless|everything(?=:|,| *(?:$|[|]))|see the union of|speaks? of|all exact|the same, no more|none sees|no node gets an id",
  "proved|proven|guarantee|uniform whatever|cannot be (?:read|told)|is not noticed|bounds nothing",
  "conclude|can open|open everything|would be everything|is secret from|stay secret",
].join("|");
const CLAIM = new RegExp(`\\b(?:${WORDS})(?!\\w)`, "i");
/** Shares of tokens or prompts: percents, N of M. Figures of a page on attacks are claims by themselves. */
const SHARE = /\d %|\b[\d,.]+ of [\d,]+\b|\b\d+\.\d+\b/;

/** The sentences of a text that make a claim; `isEvery`: one with any share in it does, else one with a share of tokens or prompts. */
export function claimsIn(text: string, isEvery: boolean): string[] {
  return sentences(text).filter((sentence) => {
    const words = plain(sentence).replaceAll(/\b\d{4}\.\d{5}\b/g, "");
    return CLAIM.test(words) || (SHARE.test(words) && (isEvery || /\b(?:tokens?|prompts?)\b/.test(words)));
  });
}

/** Ends of sentences: a mark, then a space and what begins another one. */
function sentences(text: string): string[] {
  return text
    .replaceAll(/\s+/g, " ")
    .split(/(?<=[.;!?]["'*)]*)\s+(?=["'*([]*[A-Z`])/)
    .filter((sentence) => sentence.trim() !== "");
}

/** Text without code, targets of links and emphasis. */
export function plain(text: string): string {
  return text
    .replaceAll(/`[^`]*`/g, "")
    .replaceAll(/\]\([^)]*\)/g, "]")
    .replaceAll("*", "");
}
