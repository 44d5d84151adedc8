import type { ChatMessage } from "./chat-message.ts";
import type { ChatTemplate } from "./chat-template.ts";
import type { TextStream } from "./text-stream.ts";

/** Text to token ids and back, as the model was trained with. */
export interface Tokenizer {
  /** The file that defines it. */
  readonly file: string;
  /** One more than the largest token id. */
  readonly vocabulary: number;
  /** Text of the token that begins a document; null where the model has none. */
  readonly bosToken: string | null;
  /** Ids that end a generation, as the tokenizer's files state them. */
  readonly stopTokens: readonly number[];
  /** Token ids of a text. With `addSpecial` (the default) also what the model wants around it, such as a beginning-of-text token. */
  encode(text: string, options?: { readonly addSpecial?: boolean }): number[];
  /** Text of the ids; `skipSpecial` leaves out tokens such as an end of turn. Throws RangeError for an id outside the vocabulary. */
  decode(ids: readonly number[], options?: { readonly skipSpecial?: boolean }): string;
  /**
   * Decodes token by token; the pieces joined are what `decode` gives for all of them. `after`: the tokens of a prompt that the text
   * continues, where the first piece should keep its space (SentencePiece drops one at the beginning of a text).
   */
  streamDecoder(options?: { readonly skipSpecial?: boolean; readonly after?: readonly number[] }): TextStream;
  /** The model's chat template; null where it has none. */
  readonly chatTemplate: ChatTemplate | null;
  /**
   * The text of a conversation as the model's own template writes it; encode it without `addSpecial`.
   * Throws ModelFileError where the model has no template.
   */
  applyChatTemplate(messages: readonly ChatMessage[], options?: { readonly addGenerationPrompt?: boolean }): string;
}
