/** From a prompt's text to token ids: those that everybody may know, and those that are secret. */
import { MOST_PREFIX_TOKENS } from "../../../layers/prefix/public-prefix.ts";
import { readText } from "../../../layers/read-text.ts";
import type { Model } from "../../../layers/model.ts";
import type { Tokenizer } from "../../../layers/tokenizer/tokenizer.ts";
import { warn } from "../../../layers/warning.ts";

export interface Prompt {
  readonly text: string;
  /** Put the prompt through the model's chat template. */
  readonly chat: boolean;
}

/** The ids of a prompt: the public ones, then the secret ones, of which there is at least one. */
export interface PromptIds {
  readonly publicPrefix: readonly number[];
  readonly secret: readonly number[];
}

/** Throws Error for a model that has no next token to give. */
export function checkDecoder({ name, spec, program }: Pick<Model, "name" | "spec" | "program">): void {
  if (program.logits === null)
    throw new Error(
      `model ${name}: expected a decoder, got an encoder (${spec.modelType}); it can be verified, not prompted`,
    );
}

/** How a prompt becomes ids: the text that stands before the user's, what goes before both, and whether special tokens go around. */
interface Writing {
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
  "-",
  "<",
  "é",
  "中",
  "🙂",
  "\u0301",
];

/**
 * The ids of a prompt. `publicPrefix`: "none"; text (or @FILE) that everybody may know and that goes before the prompt, with a chat template
 * as its system message; undefined: with a chat template what the template writes before the user's text, else nothing.
 * Ids are public where they are those of the public text alone, token by token, and would be for other secret texts too. Throws Error for a
 * file that can't be read, or a longer prefix than a session may have; ModelFileError where the model has no template.
 */
export async function encodePrompt(
  tokenizer: Tokenizer,
  { text, chat }: Prompt,
  publicPrefix: string | undefined,
): Promise<PromptIds> {
  const known = publicPrefix === undefined || publicPrefix === "none" ? "" : await knownText(publicPrefix);
  const { before, whole, addSpecial } = chat ? conversation(tokenizer, known) : continued(known);
  const ids = tokenizer.encode(whole(text), { addSpecial });
  if (publicPrefix === "none" || before === "") return { publicPrefix: [], secret: ids };
  const alone = tokenizer.encode(before, { addSpecial });
  const others = BEGINNINGS.map((other) => commonLength(alone, tokenizer.encode(whole(other), { addSpecial })));
  const expected = Math.min(...others);
  const length = Math.min(expected, commonLength(alone, ids), ids.length - 1);
  if (length < Math.min(expected, ids.length - 1))
    warn(
      `public prefix: this prompt's first characters merge with ${expected - length} of the ${expected} public tokens, which everybody sees by its length; begin the prompt otherwise, or use --public-prefix none`,
    );
  if (length > MOST_PREFIX_TOKENS)
    throw new Error(`publicPrefix: expected at most ${MOST_PREFIX_TOKENS} tokens, got ${length}; shorten the text`);
  return { publicPrefix: ids.slice(0, length), secret: ids.slice(length) };
}

const knownText = async (given: string): Promise<string> =>
  given.startsWith("@") ? (await readText("publicPrefix", given.slice(1))).replace(/\r?\n$/, "") : given;

const continued = (known: string): Writing => ({ before: known, whole: (text) => known + text, addSpecial: true });

/** A conversation, which begins with the known text as its system message, if there is one. */
function conversation(tokenizer: Tokenizer, known: string): Writing {
  const whole = (content: string): string =>
    tokenizer.applyChatTemplate(
      [...(known === "" ? [] : [{ role: "system", content: known }]), { role: "user", content }],
      { addGenerationPrompt: true },
    );
  // What stands before the text, whatever the text is.
  const [a, b] = ["0", "a"].map(whole);
  return { before: a.slice(0, commonLength(a, b)), whole, addSpecial: false };
}

/** Elements, or characters, that two lists have in common at their beginning. */
function commonLength(a: ArrayLike<unknown>, b: ArrayLike<unknown>): number {
  let length = 0;
  while (length < Math.min(a.length, b.length) && a[length] === b[length]) length++;
  return length;
}
