/** ROUGE-L on token lists (Lin 2004), by js-rouge, equal to the reference implementation's values (tests/fixtures/rouge). */
import { l } from "js-rouge";

/**
 * ROUGE-L F1 of two token lists, in [0, 1]: the harmonic mean of recall and precision of their longest common subsequence. 0 where one
 * is empty, as the reference implementation has it.
 *
 * Score hidden tokens alone: give both lists without what the attacker was given.
 *
 * js-rouge takes text, cuts it into sentences and those into words, and has no entry for lists. Here the tokens become numbered words,
 * the cutting into sentences is off (then its union of LCS is the LCS), and words are what stands between spaces: the lists as they are.
 */
export function rougeL(reference: readonly (string | number)[], candidate: readonly (string | number)[]): number {
  if (reference.length === 0 || candidate.length === 0) return 0;
  const numbers = new Map<string | number, number>();
  const text = (tokens: readonly (string | number)[]): string =>
    tokens
      .map((token) => {
        if (!numbers.has(token)) numbers.set(token, numbers.size);
        return numbers.get(token);
      })
      .join(" ");
  return l(text(candidate), text(reference), { segmenter: (whole) => [whole], tokenizer: (words) => words.split(" ") });
}
