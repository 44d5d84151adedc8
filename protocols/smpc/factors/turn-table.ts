import { sineAndCosine } from "./sine-and-cosine.ts";

/** Cosines of all 2^bits angles of one turn: in float64 for the dealer, rounded for the parties. Pure, so kept for the process. */
const exact = new Map<number, Float64Array>();
const rounded = new Map<string, Int32Array>();

/** cos(2 pi i / 2^bits), [2^bits], bits >= 2: the same bits on every machine, and exactly symmetric. */
export function cosines(bits: number): Float64Array {
  let table = exact.get(bits);
  if (table === undefined) {
    const length = 2 ** bits;
    table = new Float64Array(length);
    for (let i = 0; i <= length / 4; i++) {
      const { cos } = sineAndCosine((2 * Math.PI * i) / length);
      table[i] = cos;
      table[(length - i) % length] = cos;
      table[length / 2 - i] = -cos;
      table[length / 2 + i] = -cos;
    }
    table[length / 4] = 0;
    table[(3 * length) / 4] = 0;
    exact.set(bits, table);
  }
  return table;
}

/** The same, rounded to integers at `fracBits`. Public factors of shares: parties compare it by hash all the same. */
export function integerCosines(bits: number, fracBits: number): Int32Array {
  const key = `${bits} ${fracBits}`;
  let table = rounded.get(key);
  if (table === undefined) {
    table = new Int32Array(2 ** bits);
    roundTurn(table, cosines(bits), 2 ** fracBits);
    rounded.set(key, table);
  }
  return table;
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
