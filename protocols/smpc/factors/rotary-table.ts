import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import type { InstructionOf } from "../plan/instruction.ts";
import { sineAndCosine } from "./sine-and-cosine.ts";

/** Integers that a row is multiplied by, signed, mod 2^64. */
export interface RotaryTable {
  /** [rows, headDim]: what feature c of a head is multiplied by. */
  readonly cos: Words;
  /** [rows, headDim]: what the other member of c's pair is multiplied by, its sign included. */
  readonly sin: Words;
}

/** The table of an instruction for `rows` rows from firstPosition: round(factor * cos(angle) * 2^tableFracBits), the same on all machines. */
export function rotaryTable(instruction: InstructionOf<"rotate">, rows: number): RotaryTable {
  const { headDim, inverseFrequencies, firstPosition, factor, tableFracBits } = instruction;
  const half = headDim / 2;
  if (inverseFrequencies.length !== half)
    throw new Error(`rotate: expected ${half} frequencies for heads of ${headDim}, got ${inverseFrequencies.length}`);
  const cos = new Float64Array(rows * headDim);
  const sin = new Float64Array(rows * headDim);
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < half; i++) {
      const at = row * headDim + i;
      const turn = sineAndCosine((firstPosition + row) * inverseFrequencies[i]);
      cos[at] = cos[at + half] = factor * turn.cos;
      sin[at + half] = factor * turn.sin;
      sin[at] = -sin[at + half];
    }
  return { cos: encoded(cos, tableFracBits), sin: encoded(sin, tableFracBits) };
}

function encoded(values: Float64Array, fracBits: number): Words {
  const words = new BigUint64Array(values.length);
  ring.encode(words, values, fracBits);
  return words;
}
