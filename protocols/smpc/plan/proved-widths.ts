/**
 * How far the lemmas of `weir prove` reach, as data: the proofs take their widths from here, and plans are held against it
 * (held-to-proofs.ts). A gate says which of these its instructions have (Gate.widths).
 *
 * Names end in what they count. `spareBits` is what an operand has beyond what the result needs: none may be negative.
 */
import type { GateName } from "./instruction.ts";
import { LEAST_INDEX_BITS, MOST_INDEX_BITS } from "./plan-limits.ts";

/** Smallest and largest value, both included. */
export type Interval = readonly [least: number, most: number];

const RING: Interval = [1, 64];
/** Wires that are read in a larger ring: a quarter of theirs needs two bits. */
const LIFTED: Interval = [2, 64];
const SPARE: Interval = [0, 63];
/** log2 of how far below 0 a lifted wire's value may be; the quarter of a wire of 64 bits is the most. */
const BELOW: Interval = [0, 62];
/** Wires that index a table. */
const INDEX: Interval = [LEAST_INDEX_BITS, MOST_INDEX_BITS];

/** Every combination inside these is proved. */
export const PROVED_WIDTHS = {
  input: {},
  output: { spareBits: SPARE },
  linear: { ringBits: RING, spareBits: SPARE },
  combine: { ringBits: RING, spareBits: [0, 127] },
  columns: { ringBits: RING, spareBits: SPARE },
  rotate: { ringBits: RING, spareBits: SPARE },
  centre: { ringBits: RING, spareBits: SPARE },
  pivot: { ringBits: RING, spareBits: SPARE },
  shift: { ringBits: RING, shiftBits: [0, 63], spareBits: SPARE },
  series: { bits: INDEX, ringBits: RING },
  exp: { bits: INDEX, windows: [2, 2 ** 24], lastWindow: [1, 2 ** 23], ringBits: RING },
  open: { bits: RING, spareBits: SPARE },
  append: { bits: RING, spareBits: SPARE },
  extend: { bits: LIFTED, belowBits: BELOW, ringBits: RING },
  scores: { ringBits: RING, spareBits: SPARE },
  mix: { ringBits: RING, spareBits: SPARE },
  squares: { bits: LIFTED, belowBits: BELOW, ringBits: RING },
  "square-scale": {
    bits: LIFTED,
    belowBits: BELOW,
    scaleBits: LIFTED,
    ringBits: RING,
    droppedBits: SPARE,
    keptBits: RING,
    spareBits: SPARE,
  },
  "row-scale": { aBits: LIFTED, bBits: LIFTED, ringBits: RING },
  multiply: { aBits: LIFTED, bBits: LIFTED, ringBits: RING },
  "row-sum": { ringBits: RING, spareBits: SPARE },
  "row-difference": { bits: RING, spareBits: SPARE },
  diagonal: { bits: RING, spareBits: SPARE },
  take: { ringBits: RING },
  give: { bits: RING, droppedBits: SPARE, keptBits: RING, spareBits: SPARE },
  evaluate: {},
  "client-input": {},
  "client-output": {},
} as const satisfies { readonly [G in GateName]: Readonly<Record<string, Interval>> };

/** The widths of an instruction on which its lemmas depend. */
export type WidthsOf<G extends GateName> = { readonly [Name in keyof (typeof PROVED_WIDTHS)[G]]: number };
