/**
 * Ring words as balanced limbs in float64, so that products with public integers can be summed exactly in float64 arithmetic:
 * x = sum over l of limb_l * 2^(l * limbBits) mod 2^ringBits, -2^(limbBits - 1) <= limb_l < 2^(limbBits - 1).
 * Test: tests/shares/limbs.test.ts
 */
import { kernels, memory, SLOTS, TILE_WORDS } from "./kernel-memory.ts";
import { lowBits, type Words } from "./words.ts";

/** Float64 holds every integer up to here. */
const EXACT = 2 ** 53;
/** Wide enough for two limbs a word; a limb never needs more than one half of a word and its neighbour. */
export const MOST_LIMB_BITS = 32;

const [FIRST, SECOND] = SLOTS;

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
  // Half a limb at every limb makes them balanced without carrying: (x + bias) cut without sign, less half a limb.
  let bias = 0n;
  for (let limb = 0; limb < limbs; limb++)
    bias += 1n << BigInt(limb * limbBits + limbWidth(limb, limbBits, ringBits) - 1);
  const plane = rows * width;
  // Whole rows lie in one piece.
  const [runs, length] = width === columns ? [1, plane] : [rows, width];
  for (let run = 0; run < runs; run++)
    for (let at = 0; at < length; at += TILE_WORDS) {
      const count = Math.min(TILE_WORDS, length - at);
      const first = run * columns + from + at;
      memory.words.set(x.subarray(first, first + count), FIRST / 8);
      for (let limb = 0; limb < limbs; limb++) {
        const bits = limbWidth(limb, limbBits, ringBits);
        kernels.splitLimb(SECOND, FIRST, bias, limb * limbBits, lowBits(bits), 2 ** (bits - 1), count);
        out.set(memory.reals.subarray(SECOND / 8, SECOND / 8 + count), limb * plane + run * width + at);
      }
    }
}

/** Adds the sums of limb * factor, limb by limb [limbs, out.length], to `out` mod 2^64. */
export function joinLimbs(out: Words, sums: Float64Array, { limbBits, limbs }: Limbs): void {
  for (let from = 0; from < out.length; from += TILE_WORDS) {
    const tile = out.subarray(from, from + TILE_WORDS);
    memory.words.set(tile, FIRST / 8);
    for (let limb = 0; limb < limbs; limb++) {
      const first = limb * out.length + from;
      memory.reals.set(sums.subarray(first, first + tile.length), SECOND / 8);
      kernels.joinLimb(FIRST, SECOND, limb * limbBits, tile.length);
    }
    tile.set(memory.words.subarray(FIRST / 8, FIRST / 8 + tile.length));
  }
}

/** Bits of a limb: the last one has what is left of the ring. */
const limbWidth = (limb: number, limbBits: number, ringBits: number): number =>
  Math.min(limbBits, ringBits - limb * limbBits);
