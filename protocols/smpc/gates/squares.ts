/**
 * Squares: the sum of squares of every group of `width` columns, of a narrow wire in a larger ring.
 *
 * Functionality: out [rows, columns / width] = sum over each group of x^2 mod 2^K; x a wire of k bits. With x = A - R, R = r - 2^k u m
 *   (narrow-wire.ts): x^2 = A (A - 2 R) + r^2 + 2^(k+1) u (2^(k-1) m - m r), because m^2 = m and u^2 = u.
 * Parties: every party on its own words; party 0 adds the public part.
 * Leaks: nothing (local; dealt words are uniform).
 * Assumes: x in [-2^(k - 2), 2^(k - 2)) where K > k + 1, or where nonNegative in [-2^(k - 5), 15 * 2^(k - 5)]; the wire was opened.
 * Cost: `squares.cost`; r, m and m r of K - k - 1 bits an element, because all three are doubled, and a sum of r^2 a group.
 * Error bound: 0 units. Reference: smpc.md, gate 3. Proof: proofs/lemmas/lift.ts and squares.ts.
 * Test: tests/protocols/smpc/squares.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import { type Gate, take } from "../plan/gate.ts";
import { type ValueId, shareOf, wireOf, type InfoOf } from "../plan/value.ts";
import { liftedMask, minusCarry, publicLift, publicLiftNonNegative, topBits } from "../product/narrow-wire.ts";
import { tiles } from "../product/tiles.ts";

/** out [rows, columns / width] = sum of squares of each group of `width` columns; fracBits double. */
export interface SquaresInstruction {
  readonly gate: "squares";
  readonly x: ValueId;
  readonly out: ValueId;
  readonly width: number;
  /** x is not negative, but for rounding, and may be as large as half the wire's ring (narrow-wire.ts). */
  readonly nonNegative?: true;
}

/** Sums of squares of groups of columns. */
export const squares: Gate<SquaresInstruction> = {
  name: "squares",
  does: "sums of squares of groups of columns: dealt squares of masks",
  operands: { x: (need) => need },
  cost: {
    onlineBits: "0",
    dealtBits: "groups * (3 * width * extraBits + ringBits)",
    rounds: "0",
    multiplyAdds: "4 * groups * width",
  },
  quantities: (instruction, info) => sizes(instruction, info),
  tables() {},
  dealt(instruction, info) {
    const { groups, width, ringBits, extraBits } = sizes(instruction, info);
    const count = groups * width;
    return [
      { name: "carry", bits: extraBits, count },
      { name: "top", bits: extraBits, count },
      { name: "top mask", bits: extraBits, count },
      { name: "squares", bits: ringBits, count: groups },
    ].filter(({ bits }) => bits > 0);
  },
  party(instruction, walk) {
    const { groups, width, bits, extraBits } = sizes(instruction, walk.info);
    const { masked, mask } = walk.wire(instruction.x);
    const isExtended = extraBits > 0;
    const carries = isExtended ? walk.dealt("carry") : null;
    const tops = isExtended ? walk.dealt("top") : null;
    const topMasks = isExtended ? walk.dealt("top mask") : null;
    const sums = walk.dealt("squares");
    const out: Words = new BigUint64Array(groups);
    for (const { from, to } of tiles(groups, width)) {
      const length = (to - from) * width;
      const lift = instruction.nonNegative ? publicLiftNonNegative : publicLift;
      const { centred, low } = lift(masked.subarray(from * width, to * width), bits);
      const r = mask.subarray(from * width, to * width);
      const sum = out.subarray(from, to);
      let lifted: Words = r;
      let rest: Words | null = null;
      if (carries !== null && tops !== null && topMasks !== null) {
        const top = take(tops, length);
        lifted = liftedMask(r, bits, low, take(carries, length), top);
        // u (2^(k - 1) m - m r)
        rest = take(topMasks, length);
        ring.scale(rest, rest, -1n, 0n);
        ring.addScaled(rest, rest, top, 1n << BigInt(bits - 1));
        ring.multiply(rest, rest, low);
      }
      const square: Words = new BigUint64Array(length);
      if (walk.party === 0) ring.addScaled(square, centred, lifted, -2n);
      else ring.scale(square, lifted, -2n, 0n);
      ring.multiply(square, square, centred);
      if (rest !== null) ring.addScaled(square, square, rest, 1n << BigInt(bits + 1));
      ring.sumSegments(sum, square, width);
      ring.add(sum, sum, take(sums, to - from));
    }
    walk.setShare(instruction.out, out);
  },
  dealer(instruction, walk) {
    const { groups, width, bits, extraBits } = sizes(instruction, walk.info);
    const mask = walk.mask(instruction.x);
    if (extraBits > 0) walk.deal("carry", minusCarry(walk.carry(instruction.x)));
    for (const { from, to } of tiles(groups, width)) {
      const r = mask.subarray(from * width, to * width);
      const product: Words = new BigUint64Array(r.length);
      if (extraBits > 0) {
        const top = topBits(r, bits);
        walk.deal("top", top);
        ring.multiply(product, r, top);
        walk.deal("top mask", product);
      }
      ring.multiply(product, r, r);
      const sum: Words = new BigUint64Array(to - from);
      ring.sumSegments(sum, product, width);
      walk.deal("squares", sum);
    }
  },
  clear({ x, out: to, width }, walk) {
    const values = walk.clear(x);
    const square: Words = new BigUint64Array(values.length);
    ring.multiply(square, values, values);
    const out: Words = new BigUint64Array(values.length / width);
    ring.sumSegments(out, square, width);
    walk.setClear(to, out);
  },
  widths({ x, out, nonNegative }, info) {
    const bits = widthOf(info(x));
    return { bits, belowBits: bits - (nonNegative ? 5 : 2), ringBits: widthOf(info(out)) };
  },
  errorUnits: () => 0,
};

function sizes({ x, out, width }: SquaresInstruction, info: InfoOf) {
  const wire = wireOf(info(x), "squares");
  const { rows, columns, ringBits } = shareOf(info(out));
  const groups = rows * columns;
  if (groups * width !== wire.rows * wire.columns)
    throw new Error(`squares: expected groups of ${width} columns, got ${groups} of ${wire.rows * wire.columns} words`);
  return { groups, width, bits: wire.bits, ringBits, extraBits: Math.max(0, ringBits - wire.bits - 1) };
}
