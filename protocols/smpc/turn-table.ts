import type { Words } from "../../shares/words.ts";

/** Cosines of all 2^bits angles of one turn: in float64 for the dealer, rounded for the parties. Pure, so kept for the process. */
const exact = new Map<number, Float64Array>();
const rounded = new Map<string, Int32Array>();

/** cos(2 pi i / 2^bits), [2^bits]. */
export function cosines(bits: number): Float64Array {
  let table = exact.get(bits);
  if (table === undefined) {
    const length = 2 ** bits;
    table = Float64Array.from({ length }, (_, i) => Math.cos((2 * Math.PI * i) / length));
    exact.set(bits, table);
  }
  return table;
}

/** The same, rounded to integers at `fracBits`. Public factors of shares: parties compare `wordsOf` it by hash. */
export function integerCosines(bits: number, fracBits: number): Int32Array {
  const key = `${bits} ${fracBits}`;
  let table = rounded.get(key);
  if (table === undefined) {
    table = Int32Array.from(cosines(bits), (value) => Math.round(value * 2 ** fracBits));
    rounded.set(key, table);
  }
  return table;
}

/** A table as words, for hashing. */
export const wordsOf = (table: Int32Array | Float64Array): Words =>
  BigUint64Array.from(table, (value) => BigInt.asUintN(64, BigInt(value)));
