import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import type { PublicTable } from "../plan/gate.ts";
import { sineAndCosine } from "./sine-and-cosine.ts";

/** By what rows are turned. */
export interface RotarySetting {
  readonly headDim: number;
  readonly inverseFrequencies: readonly number[];
  /** Position of row 0. */
  readonly firstPosition: number;
  readonly factor: number;
  readonly tableFracBits: number;
}

/**
 * The integers that rows from firstPosition are turned by, signed, mod 2^64, the same on all machines: [2, rows, headDim], what feature c
 * of a head is multiplied by (round(factor * cos(angle) * 2^tableFracBits)), and what the other member of c's pair is, its sign included.
 * Making it throws Error for another number of frequencies than half of headDim.
 */
export function rotaryTable(setting: RotarySetting, rows: number): PublicTable<Words> {
  const { headDim, inverseFrequencies, firstPosition, factor, tableFracBits } = setting;
  const key = `rotary ${rows} ${JSON.stringify([headDim, inverseFrequencies, firstPosition, factor, tableFracBits])}`;
  return { key, bytes: 2 * 8 * rows * headDim, make: () => turnsOf(setting, rows) };
}

function turnsOf(setting: RotarySetting, rows: number): Words {
  const { headDim, inverseFrequencies, firstPosition, factor, tableFracBits } = setting;
  const half = headDim / 2;
  if (inverseFrequencies.length !== half)
    throw new Error(`rotate: expected ${half} frequencies for heads of ${headDim}, got ${inverseFrequencies.length}`);
  const turns = new Float64Array(2 * rows * headDim);
  const [cos, sin] = [turns.subarray(0, rows * headDim), turns.subarray(rows * headDim)];
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < half; i++) {
      const at = row * headDim + i;
      const turn = sineAndCosine((firstPosition + row) * inverseFrequencies[i]);
      cos[at] = cos[at + half] = factor * turn.cos;
      sin[at + half] = factor * turn.sin;
      sin[at] = -sin[at + half];
    }
  const words: Words = new BigUint64Array(turns.length);
  ring.encode(words, turns, tableFracBits);
  return words;
}
