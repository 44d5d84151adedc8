/** Text that comes token by token. */
export interface TextStream {
  /** Takes the next token; gives the text that is now certain, which may be none (part of a character) or more than the token's own. */
  push(id: number): string;
  /** The text that was held back; after the last token. */
  flush(): string;
}

/** The character that stands for bytes which aren't UTF-8: at the end of a text, perhaps the beginning of a character. */
const REPLACEMENT = "\uFFFD";

/** No character takes more tokens than this. */
const CONTEXT_TOKENS = 8;

/**
 * A stream over any `decode`: text is given out when it ends in a whole character. Tokens are decoded together with those of the piece
 * before them, so that what a decoder does at the beginning of a text (dropping a space, say) is done once, at the beginning.
 * `after` are the tokens of a text that the stream continues. `isWhole`: whether the text up to and with a token is certain whatever
 * comes (of byte tokens it isn't), undefined for a token that gives no text.
 */
export function createTextStream(
  decode: (ids: readonly number[]) => string,
  after: readonly number[] = [],
  isWhole: (id: number) => boolean | undefined = () => true,
): TextStream {
  // The tokens of the last piece that was given out, then those since. Of a text before, the end is enough.
  let ids: number[] = after.slice(-CONTEXT_TOKENS);
  let given = decode(ids);
  let first = ids.length;
  let whole = true;

  return {
    push(id) {
      ids.push(id);
      whole = isWhole(id) ?? whole;
      if (!whole) return "";
      const text = decode(ids);
      if (text.endsWith(REPLACEMENT) || text.length <= given.length) return "";
      const piece = text.slice(given.length);
      ids = ids.slice(first);
      first = ids.length;
      given = decode(ids);
      return piece;
    },
    flush() {
      const piece = decode(ids).slice(given.length);
      ids = [];
      given = "";
      first = 0;
      return piece;
    },
  };
}
