/** The text of a pattern as it is read, character by character. */
export class PatternText {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get ended(): boolean {
    return this.#at >= this.#text.length;
  }

  /** The next character, which stays; empty at the end. */
  get next(): string {
    const codePoint = this.#text.codePointAt(this.#at);
    return codePoint === undefined ? "" : String.fromCodePoint(codePoint);
  }

  take(): string {
    const { next } = this;
    this.#at += next.length;
    return next;
  }

  /** Takes `expected` where it comes next. */
  takeIf(expected: string): boolean {
    const found = this.#text.startsWith(expected, this.#at);
    if (found) this.#at += expected.length;
    return found;
  }

  /** Takes what a pattern with flag y matches. */
  takeMatch(regex: RegExp): RegExpExecArray | null {
    regex.lastIndex = this.#at;
    const match = regex.exec(this.#text);
    if (match) this.#at += match[0].length;
    return match;
  }

  /** @param got what is in the way; what comes next where it is left out. */
  fault(expected: string, got?: string): SyntaxError {
    const rest = this.#text.slice(this.#at, this.#at + 12);
    const found = got ?? (rest === "" ? "its end" : JSON.stringify(rest));
    return new SyntaxError(`pattern ${JSON.stringify(this.#text)}, at ${this.#at}: expected ${expected}, got ${found}`);
  }
}
