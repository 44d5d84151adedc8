/**
 * The inner loops of reading a narrow wire in a larger ring (protocols/smpc/narrow-wire.ts), in one pass over 32-bit halves: for wires
 * of at most 31 bits, whose public words fit one half.
 */
import type { Words } from "./words.ts";

/** The widest wire that these loops read. */
export const LIFT_KERNEL_BITS = 31;

const TWO_32 = 2 ** 32;

const halves = (words: Words): Uint32Array => new Uint32Array(words.buffer, words.byteOffset, words.length * 2);

/** centred = X' - 2^(bits-2) as a signed word, low = 1 - msb(X'), X' = X + 2^(bits-2) mod 2^bits; 2 <= bits <= 31 (RangeError). */
export function centreWords(centred: Words, low: Words, masked: Words, bits: number): void {
  checkBits(bits);
  const [c, u, x] = [halves(centred), halves(low), halves(masked)];
  const quarter = 1 << (bits - 2);
  const mask = 2 ** bits - 1;
  const topShift = bits - 1;
  for (let i = 0; i < c.length; i += 2) {
    const shifted = (x[i] + quarter) & mask;
    const value = shifted - quarter;
    c[i] = value;
    c[i + 1] = value >> 31;
    u[i] = 1 - (shifted >>> topShift);
    u[i + 1] = 0;
  }
}

/** out = r + 2^bits (c - u m), u 0 or 1; 2 <= bits <= 31 (RangeError). */
export function liftWords(out: Words, mask: Words, bits: number, low: Words, minusCarries: Words, tops: Words): void {
  checkBits(bits);
  const [o, r, u, c, m] = [halves(out), halves(mask), halves(low), halves(minusCarries), halves(tops)];
  const rest = 32 - bits;
  for (let i = 0; i < o.length; i += 2) {
    const select = -u[i]; // all ones, or none
    const differenceLow = c[i] - ((m[i] & select) >>> 0);
    const differenceHigh = c[i + 1] - ((m[i + 1] & select) >>> 0) - (differenceLow < 0 ? 1 : 0);
    const sum = r[i] + ((differenceLow << bits) >>> 0);
    o[i + 1] = r[i + 1] + (((differenceHigh << bits) | ((differenceLow | 0) >>> rest)) >>> 0) + (sum >= TWO_32 ? 1 : 0);
    o[i] = sum;
  }
}

function checkBits(bits: number): void {
  if (bits < 2 || bits > LIFT_KERNEL_BITS)
    throw new RangeError(`lift kernel: expected 2 to ${LIFT_KERNEL_BITS} bits, got ${bits}`);
}
