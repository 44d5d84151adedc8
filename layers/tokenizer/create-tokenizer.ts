import type { JsonObject } from "../json-file.ts";
import { ModelFileError } from "../model-file-error.ts";
import { compileChatTemplate } from "./chat-template.ts";
import { createTextStream } from "./text-stream.ts";
import { checkTokenizerJson } from "./tokenizer-json.ts";
import { TokenText } from "./token-text.ts";
import { TimeLimitError, withinTime } from "./time-limit.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Encoding takes microseconds a character; a pattern of the file that backtracks for ever is stopped after this and 1 ms a character. */
const ENCODE_LIMIT_MS = 2000;

/** What a model's files say beside tokenizer.json. */
export interface TokenizerFacts {
  readonly file: string;
  readonly bosToken: string | null;
  readonly stopTokens: readonly number[];
  readonly chatTemplate: string | null;
  /** Texts of special tokens by the names that chat templates use. */
  readonly specials: Readonly<Record<string, string>>;
}

/**
 * A tokenizer from the object of a tokenizer.json, which gives the ids that Hugging Face's Rust tokenizers give.
 * @throws ModelFileError where the object isn't one, or has parts that aren't supported.
 */
export function createTokenizer(tokenizerJson: JsonObject, facts: TokenizerFacts): Tokenizer {
  const { file, bosToken } = facts;
  const { parts, ids: known, tokens } = checkTokenizerJson(tokenizerJson, file);
  for (const stop of facts.stopTokens) {
    if (tokens[stop] === undefined)
      throw new ModelFileError(file, `stop token: expected an id of the vocabulary, got ${stop}`);
  }
  if (bosToken !== null && !known.has(bosToken)) {
    throw new ModelFileError(file, `bos_token: expected a token of the vocabulary, got ${JSON.stringify(bosToken)}`);
  }
  const text = attempt(file, () => new TokenText(parts));
  const special = new Set(parts.added_tokens.flatMap((token) => (token.special ? [token.id] : [])));
  const chatTemplate =
    facts.chatTemplate === null ? null : compileChatTemplate(facts.chatTemplate, facts.specials, file);

  const decode: Tokenizer["decode"] = (ids, { skipSpecial = false } = {}) => {
    for (const id of ids) {
      if (tokens[id] === undefined)
        throw new RangeError(`decode: expected ids of the vocabulary [0, ${tokens.length}), got ${id}`);
    }
    const kept = skipSpecial ? ids.filter((id) => !special.has(id)) : ids;
    return text.read(kept.map((id) => tokens[id]!));
  };
  return {
    file,
    vocabulary: tokens.length,
    bosToken,
    stopTokens: facts.stopTokens,
    encode(given, { addSpecial = true } = {}) {
      try {
        return withinTime(ENCODE_LIMIT_MS + given.length, () => text.encode(given, addSpecial));
      } catch (cause) {
        if (!(cause instanceof TimeLimitError)) throw cause;
        throw new ModelFileError(file, `encoding ${given.length} characters: ${cause.message}`, { cause });
      }
    },
    decode,
    streamDecoder: (options) => {
      const ends = (id: number): boolean | undefined =>
        options?.skipSpecial && special.has(id) ? undefined : text.isWhole(tokens[id] ?? "");
      return createTextStream((ids) => decode(ids, options), options?.after, ends);
    },
    chatTemplate,
    applyChatTemplate(messages, { addGenerationPrompt = true } = {}) {
      if (chatTemplate === null) {
        throw new ModelFileError(
          file,
          "chat template: expected one for a conversation, got none; give the prompt as plain text",
        );
      }
      return chatTemplate.render(messages, addGenerationPrompt);
    },
  };
}

function attempt<T>(file: string, build: () => T): T {
  try {
    return build();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ModelFileError(file, `tokenizer: expected parts that can be built, got the error: ${reason}`, { cause });
  }
}
