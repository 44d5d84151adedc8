/**
 * Ring words as balanced limbs in float64, so that products with public integers can be summed exactly in float64 arithmetic:
 * x = sum over l of limb_l * 2^(l * limbBits) mod 2^ringBits, -2^(limbBits - 1) <= limb_l < 2^(limbBits - 1).
 * Test: tests/shares/limbs.test.ts
 */
import type { Words } from "./words.ts";

/** Float64 holds every integer up to here. */
const EXACT = 2 ** 53;
/** Wide enough for two limbs a word; a limb never needs more than one half of a word and its neighbour. */
const MOST_LIMB_BITS = 32;

/** How words of a ring are cut. */
export interface Limbs {
  readonly limbBits: number;
  readonly limbs: number;
}

/**
 * The fewest limbs for a ring of which sums of limb * factor stay exact in float64 in any order, if the magnitudes of the factors of
 * one sum add up to at most `factorSum`. RangeError if not even limbs of one bit are exact.
 */
export function limbsFor(ringBits: number, factorSum: number): Limbs {
  let most = 0;
  // Limbs of b bits are at most 2^(b - 1) in magnitude.
  while (most < MOST_LIMB_BITS && factorSum * 2 ** most <= EXACT) most++;
  if (most === 0) throw new RangeError(`limbs: expected factors that add up to at most 2^53, got ${factorSum}`);
  const limbs = Math.ceil(ringBits / most);
  return { limbBits: Math.ceil(ringBits / limbs), limbs };
}

/** A block of columns of a matrix. */
export interface ColumnBlock {
  readonly from: number;
  readonly width: number;
}

/**
 * The limbs of a block of columns of x [rows, columns], limb by limb: out [limbs, rows, width]. Bits of x above the ring are ignored.
 */
export function splitLimbs(
  out: Float64Array,
  x: Words,
  columns: number,
  { from, width }: ColumnBlock,
  ringBits: number,
  { limbBits, limbs }: Limbs,
): void {
  const rows = x.length / columns;
  const halves = new Uint32Array(x.buffer, x.byteOffset, 2 * x.length);
  // Half a limb at every limb makes them balanced without carrying: (x + bias) cut without sign, less half a limb.
  let bias = 0n;
  for (let limb = 0; limb < limbs; limb++)
    bias += 1n << BigInt(limb * limbBits + limbWidth(limb, limbBits, ringBits) - 1);
  const [biasLow, biasHigh] = [Number(bias & 0xffffffffn), Number((bias >> 32n) & 0xffffffffn)];
  const plane = rows * width;
  for (let limb = 0; limb < limbs; limb++) {
    const bits = limbWidth(limb, limbBits, ringBits);
    const shift = limb * limbBits;
    const mask = 2 ** bits - 1;
    const half = 2 ** (bits - 1);
    for (let row = 0; row < rows; row++) {
      let at = 2 * (row * columns + from);
      let to = limb * plane + row * width;
      for (const end = at + 2 * width; at < end; at += 2, to++) {
        const low = halves[at] + biasLow;
        const high = (halves[at + 1] + biasHigh + (low > 0xffffffff ? 1 : 0)) | 0;
        const piece =
          shift === 0 ? low : shift < 32 ? ((low | 0) >>> shift) | (high << (32 - shift)) : high >>> (shift - 32);
        out[to] = ((piece & mask) >>> 0) - half;
      }
    }
  }
}

/** Adds the sums of limb * factor, limb by limb [limbs, out.length], to `out` mod 2^64. */
export function joinLimbs(out: Words, sums: Float64Array, { limbBits, limbs }: Limbs): void {
  const halves = new Uint32Array(out.buffer, out.byteOffset, 2 * out.length);
  for (let limb = 0; limb < limbs; limb++) {
    const shift = limb * limbBits;
    const from = limb * out.length;
    for (let i = 0; i < out.length; i++) {
      const sum = sums[from + i];
      const sumLow = sum | 0;
      const sumHigh = Math.floor(sum * 2 ** -32) | 0;
      let [low, high] = [sumLow, sumHigh];
      if (shift >= 32) [low, high] = [0, sumLow << (shift - 32)];
      else if (shift > 0) [low, high] = [sumLow << shift, (sumHigh << shift) | (sumLow >>> (32 - shift))];
      const total = halves[2 * i] + (low >>> 0);
      halves[2 * i + 1] += high + (total > 0xffffffff ? 1 : 0);
      halves[2 * i] = total;
    }
  }
}

/** Bits of a limb: the last one has what is left of the ring. */
const limbWidth = (limb: number, limbBits: number, ringBits: number): number =>
  Math.min(limbBits, ringBits - limb * limbBits);
