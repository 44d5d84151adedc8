import { Generator } from "../../../shares/generator.ts";
import type { Words } from "../../../shares/words.ts";

/** Numbers between -1 and 1, the same for the same seed. */
export function seededNumbers(seed: string, length: number): Float64Array {
  const words: Words = new BigUint64Array(length);
  new Generator(seed, "numbers").fillWords(words, 52);
  return Float64Array.from(words, (word) => Number(word) / 2 ** 51 - 1);
}
