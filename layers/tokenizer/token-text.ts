import { AddedTokens } from "./parts/added-tokens.ts";
import { BytePairs } from "./parts/byte-pairs.ts";
import { createDecoder, isByteToken, type Decoder, type DecoderPart } from "./parts/decoder.ts";
import { createNormalizer } from "./parts/normalizer.ts";
import { aroundText, type PostProcessorPart } from "./parts/post-processor.ts";
import { createPreTokenizer, type PreTokenizer } from "./parts/pre-tokenizer.ts";
import { WordPieces } from "./parts/word-pieces.ts";
import type { TokenizerJson } from "./tokenizer-json.ts";

/** Text to token ids and tokens to text by the parts of a tokenizer.json, in the order of the original: TokenizerImpl of tokenizers. */
export class TokenText {
  readonly #added: AddedTokens;
  readonly #preTokenize: PreTokenizer;
  readonly #model: BytePairs | WordPieces;
  readonly #around: PostProcessorPart | null;
  readonly #decode: Decoder | null;
  readonly #joinsBytes: boolean;
  readonly #settles: boolean;

  /** @throws SyntaxError for patterns and added tokens that aren't supported. */
  constructor(parts: TokenizerJson["parts"]) {
    const { normalizer, pre_tokenizer: preTokenizer, model, decoder } = parts;
    this.#added = new AddedTokens(parts.added_tokens, normalizer ? createNormalizer(normalizer) : (text) => text);
    this.#preTokenize = preTokenizer ? createPreTokenizer(preTokenizer) : (text) => [text];
    this.#model = model.type === "BPE" ? new BytePairs(model) : new WordPieces(model);
    this.#around = parts.post_processor ?? null;
    this.#decode = decoder ? createDecoder(decoder) : null;
    const steps = decoder ? stepsOf(decoder) : [];
    this.#joinsBytes = steps.some(({ type }) => type === "ByteFallback");
    this.#settles = settles(steps);
  }

  /** @throws RangeError for half a surrogate pair, which no text in UTF-8 has. */
  encode(text: string, addSpecial: boolean): number[] {
    const torn = text.search(/\p{Surrogate}/u);
    if (torn >= 0) throw new RangeError(`encode: expected Unicode text, got half a surrogate pair at ${torn}`);
    const ids: number[] = [];
    for (const section of this.#added.split(text)) {
      if (section.id !== undefined) ids.push(section.id);
      else {
        for (const piece of this.#preTokenize(section.text, section.first))
          for (const id of this.#model.encode(piece)) ids.push(id);
      }
    }
    return this.#around ? aroundText(this.#around, ids, addSpecial) : ids;
  }

  read(tokens: readonly string[]): string {
    return this.#decode ? this.#decode(tokens).join("") : tokens.join(" ");
  }

  /** Whether what tokens say up to this one stays as it is whatever follows, but for a character that is torn at its end. */
  isWhole(token: string): boolean {
    return this.#settles && !(this.#joinsBytes && isByteToken(token));
  }
}

const stepsOf = (part: DecoderPart): DecoderPart[] =>
  part.type === "Sequence" ? part.decoders.flatMap(stepsOf) : [part];

/** Whether no decoder can change, for a token to come, what it gave for those before: none looks at text that is joined but at its beginning or by single characters. */
function settles(steps: readonly DecoderPart[]): boolean {
  const joined = steps.findIndex(({ type }) => type === "Fuse" || type === "ByteLevel");
  return steps.slice(joined < 0 ? steps.length : joined + 1).every((step) => {
    if (step.type === "Strip") return step.stop === 0;
    if (step.type === "Replace") return step.pattern.String.length === 1;
    return step.type === "Fuse" || step.type === "Metaspace";
  });
}
