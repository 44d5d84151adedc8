import { ring } from "./ring.ts";
import { lowBits, type Words } from "./words.ts";

/** x mod 2^bits read as signed, in [-2^(bits - 1), 2^(bits - 1)), as a word mod 2^64. */
export function signed(x: Words, bits: number): Words {
  const out: Words = new BigUint64Array(x.length);
  const half = (lowBits(bits) >> 1n) + 1n;
  ring.scale(out, x, 1n, half);
  ring.reduce(out, out, bits);
  ring.scale(out, out, 1n, -half);
  return out;
}
