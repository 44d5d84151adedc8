import { CATEGORIES_16 } from "../unicode/categories.ts";
import type { Normalizer } from "./normalizer.ts";

/** A token beside the model's vocabulary, which a text is searched for before anything else. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Not where a word character stands before or behind it. */
  readonly single_word?: boolean;
  /** Takes the white space before it. */
  readonly lstrip?: boolean;
  /** Takes the white space behind it. */
  readonly rstrip?: boolean;
  /** Searched for, normalised itself, in the normalised text. */
  readonly normalized?: boolean;
  readonly special?: boolean;
}

/** Part of a text: an added token's id, or text between; `first` where it is at the very beginning. */
export type Section =
  | { readonly id: number }
  | { readonly id?: undefined; readonly text: string; readonly first: boolean };

interface Trie {
  readonly next: Map<string, Trie>;
  token?: AddedToken;
}

const WORD = CATEGORIES_16.word;
const WHITESPACE = CATEGORIES_16.whitespace;

/** Finds added tokens as tokenizers' AddedVocabulary: the leftmost, of these the longest; first those that aren't normalised. */
export class AddedTokens {
  readonly #plain: Trie;
  readonly #normalized: Trie;
  readonly #normalize: Normalizer;

  /** @throws SyntaxError where two normalised tokens are the same text, or one is none. */
  constructor(tokens: readonly AddedToken[], normalize: Normalizer) {
    this.#normalize = normalize;
    this.#plain = trieOf(tokens.filter((token) => !isNormalized(token)).map((token) => [token.content, token]));
    this.#normalized = trieOf(tokens.filter(isNormalized).map((token) => [normalize(token.content), token]));
  }

  /** The sections of a text, normalised, in order; none of them is an empty text. */
  split(text: string): Section[] {
    return cut({ text, first: true }, this.#plain).flatMap((section) =>
      section.id === undefined
        ? cut({ text: this.#normalize(section.text), first: section.first }, this.#normalized)
        : [section],
    );
  }
}

/** Whether a token is searched for in normalised text: where it doesn't say, special ones aren't. */
export const isNormalized = (token: AddedToken): boolean => token.normalized ?? !token.special;

function trieOf(contents: readonly (readonly [content: string, token: AddedToken])[]): Trie {
  const root: Trie = { next: new Map() };
  for (const [content, token] of contents) {
    const name = JSON.stringify(token.content);
    if (content === "") throw new SyntaxError(`added token ${name}: expected a text when normalised, got none`);
    let node = root;
    for (let i = 0; i < content.length; i++) {
      const child = node.next.get(content[i]) ?? { next: new Map() };
      node.next.set(content[i], child);
      node = child;
    }
    if (node.token && node.token.id !== token.id)
      throw new SyntaxError(
        `added token ${name}: expected a text of its own, got that of ${JSON.stringify(node.token.content)}`,
      );
    node.token = token;
  }
  return root;
}

function cut({ text, first }: { readonly text: string; readonly first: boolean }, trie: Trie): Section[] {
  const sections: Section[] = [];
  let done = 0;
  const giveText = (end: number): void => {
    if (done < end) sections.push({ text: text.slice(done, end), first: first && done === 0 });
  };
  for (let at = 0; trie.next.size > 0 && at < text.length;) {
    const found = longest(text, at, trie);
    if (!found) {
      at++;
      continue;
    }
    let [start, end] = [at, found.end];
    at = end;
    if (found.token.single_word && (endsInWord(text, start) || beginsWithWord(text, end))) continue;
    if (found.token.rstrip) while (end < text.length && WHITESPACE.has(text.charCodeAt(end))) end++;
    if (found.token.lstrip) {
      while (start > 0 && WHITESPACE.has(text.charCodeAt(start - 1))) start--;
      // White space that a token before has taken stays with it; a token of nothing else is none.
      start = Math.max(start, done);
    }
    giveText(start);
    if (start < end) sections.push({ id: found.token.id });
    done = end;
  }
  giveText(text.length);
  return sections;
}

function longest(text: string, start: number, trie: Trie): { token: AddedToken; end: number } | undefined {
  let found: { token: AddedToken; end: number } | undefined;
  let node = trie.next.get(text[start]);
  for (let end = start + 1; node; node = node.next.get(text[end++])) {
    if (node.token) found = { token: node.token, end };
  }
  return found;
}

function endsInWord(text: string, end: number): boolean {
  const unit = text.charCodeAt(end - 1);
  const isLow = unit >= 0xdc00 && unit <= 0xdfff;
  return end > 0 && WORD.has(text.codePointAt(isLow ? end - 2 : end - 1)!);
}

const beginsWithWord = (text: string, start: number): boolean =>
  start < text.length && WORD.has(text.codePointAt(start)!);
