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
    const unit = 2 ** fracBits;
    const real = cosines(bits);
    const table = new Int32Array(real.length);
    for (let i = 0; i < real.length; i++) table[i] = Math.round(real[i] * unit);
    return table;
  };
  return { key, bytes: 4 * 2 ** bits, make: () => kept.get(key, make) as Int32Array };
}
