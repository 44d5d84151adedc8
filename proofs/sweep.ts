/** Which bits lemmas go through: rings and wires of so many bits, and places where they are cut. */
import { PROVED_WIDTHS } from "../protocols/smpc/plan/proved-widths.ts";

/** Whole numbers from `first` to `last`. */
export const upTo = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** All that plans may have. */
export const EVERY_BITS: readonly number[] = upTo(...PROVED_WIDTHS.open.bits);

const FIBONACCI = new Set([2, 3, 5, 8, 13, 21, 34, 55]);

/** Some of them, near both ends and between: for comparisons of several widths at once. */
export const someBits = (bits: readonly number[]): number[] =>
  bits.filter((each) => FIBONACCI.has(each) || each > EVERY_BITS.length - 2);

/** Places inside a ring at which it can be cut. */
export const cutsOf = (bits: readonly number[]): number[] => bits.filter((each) => each < EVERY_BITS.length);

/** "2 ... 64"; all of the numbers where some are left out. */
export function spanOf(numbers: readonly number[]): string {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  const isWhole = sorted.length > 2 && sorted[sorted.length - 1] - sorted[0] === sorted.length - 1;
  return isWhole ? `${sorted[0]} ... ${sorted[sorted.length - 1]}` : sorted.join(", ");
}
