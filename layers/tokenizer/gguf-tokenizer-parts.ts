import type { JsonObject } from "../json-file.ts";

/** What a kind of tokenizer decides: parts of a tokenizer.json. */
export interface GgufTokenizerParts {
  readonly normalizer: JsonObject | null;
  readonly preTokenizer: JsonObject | null;
  readonly decoder: JsonObject;
  /** The BPE model without its vocabulary. */
  readonly model: JsonObject;
  /** Whether a text begins with the beginning-of-text token where the file doesn't say. */
  readonly addBos: boolean;
}
