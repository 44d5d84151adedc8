import { CATEGORIES_16 } from "./categories.ts";

const UNASSIGNED = CATEGORIES_16.of("Cn");

const run = (first: number, last: number, step: number): [number, number][] =>
  Array.from({ length: last - first + 1 }, (_, i) => [first + i, first + i + step]);

/** Capitals of Unicode 16 and 17, which an engine of an earlier version doesn't know. */
const LATE_CAPITALS: ReadonlyMap<number, number> = new Map([
  [0xa7cb, 0x0264],
  [0xa7cc, 0xa7cd],
  [0xa7da, 0xa7db],
  [0xa7dc, 0x019b],
  ...run(0x10d50, 0x10d65, 0x20),
  [0xa7ce, 0xa7cf],
  [0xa7d2, 0xa7d3],
  [0xa7d4, 0xa7d5],
  ...run(0x16ea0, 0x16eb8, 0x1b),
]);

/**
 * Lower case of Unicode 17, character by character as Rust's char::to_lowercase: a capital sigma at a word's end becomes the ordinary
 * small one, which String.toLowerCase does otherwise.
 */
export function lowerCase(text: string): string {
  let lower = "";
  for (const character of text) {
    const codePoint = character.codePointAt(0)!;
    const capital = LATE_CAPITALS.get(codePoint);
    if (capital !== undefined) lower += String.fromCodePoint(capital);
    else lower += codePoint > 0x7f && UNASSIGNED.has(codePoint) ? character : character.toLowerCase();
  }
  return lower;
}
