/** From a prompt's text to token ids: those that everybody may know, and those that are secret. */
import { MOST_PREFIX_TOKENS } from "../../../layers/prefix/public-prefix.ts";
import { readText } from "../../../layers/read-text.ts";
import type { Model } from "../../../layers/model.ts";
import { commonLength, continued, conversation, publicOpening } from "../../../layers/tokenizer/public-opening.ts";
import type { Tokenizer } from "../../../layers/tokenizer/tokenizer.ts";

export interface PromptText {
  readonly text: string;
  /** Put the prompt through the model's chat template. */
  readonly chat: boolean;
}

/** The ids of a prompt: the public ones, then the secret ones, of which there is at least one. */
export interface PromptIds {
  readonly publicPrefix: readonly number[];
  readonly secret: readonly number[];
}

/** A prompt as a person gives it, or encoded already. */
export type Prompt = PromptText | PromptIds;

/** Throws Error for a model that has no next token to give. */
export function checkDecoder({ name, spec, program }: Pick<Model, "name" | "spec" | "program">): void {
  if (program.logits === null)
    throw new Error(
      `model ${name}: expected a decoder, got an encoder (${spec.modelType}); it can be verified, not prompted`,
    );
}

/**
 * The ids of a prompt; of one that is encoded already, these. `publicPrefix`: "none"; text (or @FILE) that everybody may know and that goes before the prompt, with a chat template
 * as its system message; undefined: with a chat template what the template writes before the user's text, else nothing.
 * `warn` is told where the border had to move. Ids are public where they are those of the public text alone, token by token, and would be for other secret texts too. Throws Error for a
 * file that can't be read, or a longer prefix than a session may have; ModelFileError where the model has no template.
 */
export async function encodePrompt(
  tokenizer: Tokenizer,
  prompt: Prompt,
  publicPrefix: string | undefined,
  warn: (text: string) => void,
): Promise<PromptIds> {
  if ("secret" in prompt) return prompt;
  const { text, chat } = prompt;
  const isNone = publicPrefix === "none";
  const known = publicPrefix === undefined || isNone ? "" : await knownText(publicPrefix);
  const writing = chat ? conversation(tokenizer, known) : continued(known);
  const ids = tokenizer.encode(writing.whole(text), { addSpecial: writing.addSpecial });
  if (isNone) return { publicPrefix: [], secret: ids };
  const opening = publicOpening(tokenizer, writing);
  const most = Math.min(opening.length, ids.length - 1);
  const length = Math.min(most, commonLength(opening, ids));
  if (length < most)
    warn(
      `public prefix: this prompt's first characters merge with ${most - length} of the ${most} public tokens, which everybody sees by its length; begin the prompt otherwise, or use --public-prefix none`,
    );
  else if (known !== "" && length === 0)
    warn(
      "public prefix: no token of it is public, as the prompt goes on with its last word; end it with a space, a full stop or a line break",
    );
  if (length > MOST_PREFIX_TOKENS)
    throw new Error(`publicPrefix: expected at most ${MOST_PREFIX_TOKENS} tokens, got ${length}; shorten the text`);
  return { publicPrefix: ids.slice(0, length), secret: ids.slice(length) };
}

const knownText = async (given: string): Promise<string> =>
  given.startsWith("@") ? (await readText("publicPrefix", given.slice(1))).replace(/\r?\n$/, "") : given;
