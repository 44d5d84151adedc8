import { fileURLToPath } from "node:url";
import { ModelFileError } from "../../../layers/model-file-error.ts";
import type { Model } from "../../../layers/model.ts";
import { readText } from "../../../layers/read-text.ts";
import { commonLength, continued, conversation, publicOpening } from "../../../layers/tokenizer/public-opening.ts";
import { openTokenizer } from "../../../layers/tokenizer/open-tokenizer.ts";
import type { Tokenizer } from "../../../layers/tokenizer/tokenizer.ts";
import type { CalibrationText, FirstRow } from "./calibrate.ts";

/** The public passages that come with weir. */
const PASSAGES = fileURLToPath(new URL("../../../models/calibration/passages.txt", import.meta.url));

/** Longer texts are cut: later positions are like those before. */
const MAX_TOKENS = 512;
/** Every which passage is also shown as the message of a conversation, where the model has a chat template. */
const CHAT_EVERY = 5;
/** Words of a passage that stand before another, where rows behind public ones are shown. */
const OPENER_WORDS = 8;
/** Tokens of random text, for a model that has no tokenizer. */
const RANDOM = { sequences: 48, length: 48 } as const;

/**
 * The passages of a text file (divided by empty lines, without lines that begin with #) as the model's token ids; `file` null: those
 * that come with weir, or random tokens where the model has no tokenizer. `firstRow` public: each behind the first words of another.
 * @throws Error where `file` can't be read, ModelFileError where it holds no passage, or the model has no tokenizer for it.
 */
export async function calibrationText(
  model: Model,
  file: string | null,
  firstRow: FirstRow = "secret",
): Promise<CalibrationText> {
  let tokenizer: Tokenizer;
  try {
    tokenizer = await openTokenizer(model.path);
  } catch (error) {
    if (file === null && error instanceof ModelFileError) return randomText(model);
    throw error;
  }
  const passages = passagesOf(await readText("calibration text", file ?? PASSAGES));
  if (passages.length === 0)
    throw new ModelFileError(file ?? PASSAGES, "calibration text: expected passages divided by empty lines, got none");
  const writings = passages.map((_, i) => continued(firstRow === "secret" ? "" : opener(passages, i)));
  const plain = passages.map((text, i) => tokenizer.encode(writings[i].whole(text)));
  const chats =
    tokenizer.chatTemplate === null
      ? []
      : passages.filter((_, i) => i % CHAT_EVERY === 0).map((content) => chat(tokenizer, content));
  const opening = chats.length === 0 ? 0 : publicOpening(tokenizer, conversation(tokenizer, "")).length;
  return {
    source: file === null ? "the passages that come with weir" : "a text given by the user",
    sequences: [...plain, ...chats].map((ids) => ids.slice(0, MAX_TOKENS)),
    openings: [
      ...plain.map((ids, i) => commonLength(ids, tokenizer.encode(writings[i].before))),
      ...chats.map(() => opening),
    ],
  };
}

const chat = (tokenizer: Tokenizer, content: string): number[] =>
  tokenizer.encode(tokenizer.applyChatTemplate([{ role: "user", content }], { addGenerationPrompt: true }), {
    addSpecial: false,
  });

/** The first words of the next passage that has different ones, on a line; "" where none has. */
function opener(passages: readonly string[], of: number): string {
  for (let i = 1; i < passages.length; i++) {
    const words = passages[(of + i) % passages.length].split(/\s+/).slice(0, OPENER_WORDS);
    if (new Set(words).size > 1) return `${words.join(" ")}\n`;
  }
  return "";
}

function passagesOf(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .join("\n")
    .split(/\n\s*\n/)
    .map((passage) => passage.trim())
    .filter((passage) => passage !== "");
}

/** Token ids of a linear congruential generator: the same in every run. */
function randomText({ spec }: Model): CalibrationText {
  let state = 1;
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const length = Math.min(RANDOM.length, spec.maxPositions);
  const sequences = Array.from({ length: RANDOM.sequences }, () =>
    Array.from({ length }, () => Math.floor(next() * spec.vocabulary)),
  );
  return { source: "random tokens, as the model has no tokenizer", sequences };
}
