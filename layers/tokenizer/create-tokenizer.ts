import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import type { JsonObject } from "../json-file.ts";
import { ModelFileError } from "../model-file-error.ts";
import { compileChatTemplate } from "./chat-template.ts";
import { createTextStream } from "./text-stream.ts";
import { checkTokenizerJson } from "./tokenizer-json.ts";
import { TimeLimitError, withinTime } from "./time-limit.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Encoding takes microseconds a character; a pattern of the file that backtracks for ever is stopped after this and 1 ms a character. */
const ENCODE_LIMIT_MS = 2000;

/** What of the library is used; its own declarations don't resolve under Node's rules for modules. */
interface Library {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
  decode(ids: readonly number[]): string;
  get_added_tokens_decoder(): Map<number, { readonly special: boolean }>;
  readonly decoder: LibraryDecoder | null;
}

interface LibraryDecoder {
  /** Of a sequence. */
  readonly decoders?: readonly LibraryDecoder[];
  /** Of parts that make characters of bytes. */
  text_decoder?: InstanceType<typeof TextDecoder>;
}

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
 * A tokenizer from the object of a tokenizer.json, by @huggingface/tokenizers.
 * @throws ModelFileError where the object isn't one, or has parts that aren't supported.
 */
export function createTokenizer(tokenizerJson: JsonObject, facts: TokenizerFacts): Tokenizer {
  const { file, bosToken } = facts;
  const { json, ids: known, tokens } = checkTokenizerJson(tokenizerJson, file);
  for (const stop of facts.stopTokens) {
    if (tokens[stop] === undefined)
      throw new ModelFileError(file, `stop token: expected an id of the vocabulary, got ${stop}`);
  }
  if (bosToken !== null && !known.has(bosToken)) {
    throw new ModelFileError(file, `bos_token: expected a token of the vocabulary, got ${JSON.stringify(bosToken)}`);
  }
  let library: Library;
  try {
    // Cleaning up spaces would change what the model wrote ("a ." to "a.").
    library = new LibraryTokenizer(json, { clean_up_tokenization_spaces: false }) as Library;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ModelFileError(file, `tokenizer: expected parts that can be built, got the error: ${reason}`, { cause });
  }
  keepByteOrderMarks(library.decoder);
  const special = new Set<number>();
  for (const [id, token] of library.get_added_tokens_decoder()) if (token.special) special.add(id);
  const chatTemplate =
    facts.chatTemplate === null ? null : compileChatTemplate(facts.chatTemplate, facts.specials, file);

  const decode: Tokenizer["decode"] = (ids, { skipSpecial = false } = {}) => {
    for (const id of ids) {
      if (tokens[id] === undefined)
        throw new RangeError(`decode: expected ids of the vocabulary [0, ${tokens.length}), got ${id}`);
    }
    const kept = skipSpecial ? ids.filter((id) => !special.has(id)) : [...ids];
    return kept.length === 0 ? "" : library.decode(kept);
  };
  return {
    file,
    vocabulary: tokens.length,
    bosToken,
    stopTokens: facts.stopTokens,
    encode(text, { addSpecial = true } = {}) {
      try {
        const limitMs = ENCODE_LIMIT_MS + text.length;
        return withinTime(limitMs, () => library.encode(text, { add_special_tokens: addSpecial }).ids);
      } catch (cause) {
        if (!(cause instanceof TimeLimitError)) throw cause;
        throw new ModelFileError(file, `encoding ${text.length} characters: ${cause.message}`, { cause });
      }
    },
    decode,
    streamDecoder: (options) => createTextStream((ids) => decode(ids, options), options?.after),
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

/** The library's byte fallback drops U+FEFF where bytes begin with it; in the middle of a text it is a character like others. */
function keepByteOrderMarks(decoder: LibraryDecoder | null): void {
  decoder?.decoders?.forEach(keepByteOrderMarks);
  if (decoder?.text_decoder) decoder.text_decoder = new TextDecoder("utf-8", { ignoreBOM: true });
}
