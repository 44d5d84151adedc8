import { BoundedMemo } from "../../bounded-memo.ts";
import type { PublicTable } from "../plan/gate.ts";
import { sineAndCosine } from "./sine-and-cosine.ts";

/** Cosines of all 2^bits angles of one turn: in float64 for the dealer, rounded for the parties. Pure, so kept for the process. */
const kept = new BoundedMemo<Float64Array | Int32Array>(256 * 1024 * 1024, ({ byteLength }) => byteLength);

/** cos(2 pi i / 2^bits), [2^bits], bits >= 2: the same bits on every machine, and exactly symmetric. */
export function cosines(bits: number): Float64Array {
  return kept.get(`exact ${bits}`, () => {
    const length = 2 ** bits;
    const table = new Float64Array(length);
    for (let i = 0; i <= length / 4; i++) {
      const { cos } = sineAndCosine((2 * Math.PI * i) / length);
      table[i] = cos;
      table[(length - i) % length] = cos;
      table[length / 2 - i] = -cos;
      table[length / 2 + i] = -cos;
    }
    table[length / 4] = 0;
    table[(3 * length) / 4] = 0;
    return table;
  }) as Float64Array;
}

/** The same, rounded to integers at `fracBits`. Public factors of shares: parties compare it by hash all the same. */
export function integerCosines(bits: number, fracBits: number): PublicTable<Int32Array> {
  const key = `cosines ${bits} ${fracBits}`;
  const make = (): Int32Array => {
    const table = new Int32Array(2 ** bits);
    roundTurn(table, cosines(bits), 2 ** fracBits);
    return table;
  };
  return { key, bytes: 4 * 2 ** bits, make: () => kept.get(key, make) as Int32Array };
}

/** Rounds a quarter and mirrors it, as the turn is symmetric. A function of its own so that it is soon compiled. */
function roundTurn(table: Int32Array, real: Float64Array, unit: number): void {
  const length = real.length;
  for (let i = 0; i <= length / 4; i++) {
    const scaled = real[i] * unit;
    const above = Math.round(scaled);
    table[i] = above;
    table[(length - i) % length] = above;
    const below = Math.round(-scaled); // not -above: halves are rounded up
    table[length / 2 - i] = below;
    table[length / 2 + i] = below;
  }
}
