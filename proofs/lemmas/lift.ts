/**
 * Lift: a wire of k bits read in a larger ring. With x in [-c, 2^(k-1) - c], X = x + r mod 2^k, A = (X + c mod 2^k) - c,
 * u = 1 - msb(X + c mod 2^k) and m = msb(r): x = A - r + 2^k u m, exactly. c is 2^(k-2), or 2^(k-5) where x is not negative but for
 * rounding.
 *
 *   lift     x = A - r + 2^k u m for all x of the range and all r
 *   residue  A = X mod 2^k, which is all that a ring of k bits or less needs
 *   carry    mask shares that add up to s mod 2^64 add up to r + 2^k carry, r = s mod 2^k, carry = s / 2^k
 */
import { publicLift, publicLiftNonNegative, topBits } from "../../protocols/smpc/product/narrow-wire.ts";
import type { Words } from "../../shares/words.ts";
import { compareWords, spreadWords } from "../conformance.ts";
import type { Lemma, Query } from "../lemma.ts";
import { spanOf } from "../sweep.ts";
import {
  add,
  atMost,
  constant,
  equal,
  low,
  multiply,
  shiftedRight,
  subtract,
  times2,
  within,
  word,
  type Term,
} from "../term.ts";

/** What may be got wrong, so that a test can see the lemma fail: units that x may go below its range, and above it. */
export interface LiftFaults {
  readonly below?: bigint;
  readonly above?: bigint;
}

/** A wire of `bits` bits, whose values reach 2^belowBits below 0. */
export interface LiftedWire {
  readonly bits: number;
  readonly belowBits: number;
}

/** The wires that gates lift: signed, and from five bits on those that are not negative. */
export const liftedWires = (bits: readonly number[]): LiftedWire[] => [
  ...bits.filter((k) => k >= 2).map((k) => ({ bits: k, belowBits: k - 2 })),
  ...bits.filter((k) => k >= 5).map((k) => ({ bits: k, belowBits: k - 5 })),
];

const moved = (masked: Term, { bits, belowBits }: LiftedWire): Term =>
  low(bits, add(masked, constant(1n << BigInt(belowBits))));
/** A of the public word X. */
export const centred = (masked: Term, wire: LiftedWire): Term =>
  subtract(moved(masked, wire), constant(1n << BigInt(wire.belowBits)));
/** u of the public word X. */
export const lowHalf = (masked: Term, wire: LiftedWire): Term =>
  subtract(constant(1), shiftedRight(wire.bits - 1, moved(masked, wire)));
/** m of the mask. */
export const topBit = (mask: Term, bits: number): Term => shiftedRight(bits - 1, mask);

const at = ({ bits, belowBits }: LiftedWire): string => `k = ${bits}, c = 2^${belowBits}`;

function liftQuery(wire: LiftedWire, { below = 0n, above = 0n }: LiftFaults = {}): Query {
  const [x, r] = [word("x"), word("r")];
  const { bits, belowBits } = wire;
  const [least, half] = [-(1n << BigInt(belowBits)), 1n << BigInt(bits - 1)];
  const masked = low(bits, add(x, r));
  const wrap = times2(bits, multiply(lowHalf(masked, wire), topBit(r, bits)));
  return {
    name: `lift, ${at(wire)}`,
    wordBits: 64,
    assume: [within(x, least - below, half + least + above, 64), atMost(r, (1n << BigInt(bits)) - 1n)],
    claim: equal(add(subtract(centred(masked, wire), r), wrap), x),
  };
}

function residueQuery(wire: LiftedWire): Query {
  const masked = word("X");
  return {
    name: `residue, ${at(wire)}`,
    wordBits: 64,
    assume: [],
    claim: equal(low(wire.bits, centred(masked, wire)), low(wire.bits, masked)),
  };
}

function carryQuery(bits: number): Query {
  const sum = word("sum");
  return {
    name: `carry, k = ${bits}`,
    wordBits: 64,
    assume: [],
    claim: equal(sum, add(low(bits, sum), times2(bits, shiftedRight(bits, sum)))),
  };
}

const COUNT = 64;

/** Compares A, u and m with what gates compute of public words and masks. Throws Error where they differ. */
function conform(wires: readonly LiftedWire[]): void {
  for (const wire of wires) {
    const { bits, belowBits } = wire;
    const X: Words = spreadWords(COUNT, bits, 1);
    const lift = belowBits === bits - 2 ? publicLift(X, bits) : publicLiftNonNegative(X, bits);
    const values = (i: number) => ({ X: X[i] });
    const [A, u, m] = [centred(word("X"), wire), lowHalf(word("X"), wire), topBit(word("X"), bits)];
    compareWords(`lift, ${at(wire)}, A`, lift.centred, 64, (i) => ({ term: A, values: values(i) }));
    compareWords(`lift, ${at(wire)}, u`, lift.low, 64, (i) => ({ term: u, values: values(i) }));
    compareWords(`lift, ${at(wire)}, m`, topBits(X, bits), 64, (i) => ({ term: m, values: values(i) }));
  }
}

/** The lemma and what must not hold, for wires of these bits. */
export function liftLemmas(bits: readonly number[], faults: LiftFaults = {}): Lemma[] {
  const wires = liftedWires(bits);
  // Wires of 64 bits are lifted nowhere: no ring is larger.
  const tight = wires.filter((wire) => wire.bits < 64);
  const refuted = { expected: "refuted", gates: [], conform: null } as const;
  const widths = `k = ${spanOf(wires.map((wire) => wire.bits))}, c = 2^(k-2), 2^(k-5)`;
  return [
    {
      name: "lift",
      statement:
        "x = A - r + 2^k u m for every x from c below 0 to half the wire's ring above that, and every mask r; A = X mod 2^k",
      expected: "proved",
      gates: ["extend", "squares", "square-scale", "row-scale", "multiply"],
      widths,
      queries: [...wires.map((wire) => liftQuery(wire, faults)), ...wires.map(residueQuery), ...bits.map(carryQuery)],
      conform: () => conform(wires),
    },
    {
      ...refuted,
      name: "lift: x above its range",
      statement: "the lift is right one unit above its range",
      widths,
      queries: tight.map((wire) => liftQuery(wire, { above: 1n })),
    },
    {
      ...refuted,
      name: "lift: x below its range",
      statement: "the lift is right one unit below its range",
      widths,
      queries: tight.map((wire) => liftQuery(wire, { below: 1n })),
    },
  ];
}
