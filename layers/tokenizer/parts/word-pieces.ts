/** WordPiece, as tokenizer.json has it. */
export interface WordPiecePart {
  readonly type: "WordPiece";
  readonly vocab: Readonly<Record<string, number>>;
  readonly unk_token: string;
  /** Before a token that goes on within a word. */
  readonly continuing_subword_prefix: string;
  /** A longer word is unknown. */
  readonly max_input_chars_per_word: number;
}

/** Takes the longest token from the front of what is left of a word, as tokenizers' WordPiece. */
export class WordPieces {
  readonly #part: WordPiecePart;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #unknown: number;
  /** No token has more UTF-16 units. */
  readonly #longest: number;

  /** @param part checked: its unknown token is of its vocabulary. */
  constructor(part: WordPiecePart) {
    this.#part = part;
    this.#ids = new Map(Object.entries(part.vocab));
    this.#unknown = this.#ids.get(part.unk_token)!;
    let longest = 0;
    for (const token of this.#ids.keys()) longest = Math.max(longest, token.length);
    this.#longest = longest;
  }

  /** Token ids of a word: the unknown one alone where a part of it has none. */
  encode(word: string): number[] {
    const { continuing_subword_prefix: prefix, max_input_chars_per_word: most } = this.#part;
    const characters = Array.from(word);
    if (characters.length > most) return [this.#unknown];
    const ids: number[] = [];
    for (let start = 0; start < characters.length;) {
      let end = Math.min(characters.length, start + this.#longest);
      let id: number | undefined;
      for (; end > start; end--) {
        const part = characters.slice(start, end).join("");
        id = this.#ids.get(start > 0 ? prefix + part : part);
        if (id !== undefined) break;
      }
      if (id === undefined) return [this.#unknown];
      ids.push(id);
      start = end;
    }
    return ids;
  }
}
