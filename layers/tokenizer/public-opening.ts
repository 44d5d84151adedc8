import type { Tokenizer } from "./tokenizer.ts";

/** How a prompt becomes text, and whether special tokens go around it. */
export interface Writing {
  /** What stands before the user's text, whatever that is: everybody may know it. */
  readonly before: string;
  readonly whole: (text: string) => string;
  readonly addSpecial: boolean;
}

/** User texts that begin in other ways: public tokens are those that all of them leave as they are. */
const BEGINNINGS = [
  "a",
  "The",
  " a",
  "\n",
  "\n\n",
  "  ",
  "\t",
  "1",
  ".",
  ",",
  "'s",
  '"',
  ")",
  "?",
  ":",
  "-",
  "<",
  "é",
  "中",
  "🙂",
  "\u0301",
];
/** A word that the user's text may go on with: no token of it is public, as any letters may follow. */
const OPEN_WORD = /\s*[\p{L}\p{N}\p{M}'’]+$/u;

/** The tokens of a prompt that everybody may know: those of the text before the user's, as far as any text after it leaves them. */
export function publicOpening(tokenizer: Tokenizer, { before, whole, addSpecial }: Writing): number[] {
  if (before === "") return [];
  const alone = tokenizer.encode(before, { addSpecial });
  const others = [before.replace(OPEN_WORD, ""), ...BEGINNINGS.map(whole)];
  const lengths = others.map((text) => commonLength(alone, tokenizer.encode(text, { addSpecial })));
  return alone.slice(0, Math.min(...lengths));
}

/** Text that goes on from another. */
export const continued = (known: string): Writing => ({
  before: known,
  whole: (text) => known + text,
  addSpecial: true,
});

/** A conversation with one message of the user, after a system message where `system` isn't empty. Throws ModelFileError without a template. */
export function conversation(tokenizer: Tokenizer, system: string): Writing {
  const first = system === "" ? [] : [{ role: "system", content: system }];
  const whole = (content: string): string =>
    tokenizer.applyChatTemplate([...first, { role: "user", content }], { addGenerationPrompt: true });
  const [a, b] = ["0", "a"].map(whole);
  return { before: a.slice(0, commonLength(a, b)), whole, addSpecial: false };
}

/** Elements, or characters, that two lists have in common at their beginning. */
export function commonLength(a: ArrayLike<unknown>, b: ArrayLike<unknown>): number {
  let length = 0;
  while (length < Math.min(a.length, b.length) && a[length] === b[length]) length++;
  return length;
}
