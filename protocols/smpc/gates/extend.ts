/**
 * Extend: a narrow opened wire becomes a share in a larger ring.
 *
 * Functionality: out = x mod 2^K for a wire of k bits; x is public minus secret, see narrow-wire.ts.
 * Parties: every party on its own words; party 0 adds the public part.
 * Leaks: nothing (local; dealt words are uniform).
 * Assumes: x in [-2^(k - 2), 2^(k - 2)) where K > k, or where nonNegative in [-2^(k - 5), 15 * 2^(k - 5)]; the wire was opened (the dealer
 *   needs the carry of its mask).
 * Cost: `extend.cost`; two words of K - k bits an element, none where K <= k. Error bound: 0 units.
 * Reference: smpc.md, gate 2. Proof: proofs/lemmas/lift.ts and extend.ts.
 * Test: tests/protocols/smpc/extend.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import { type Gate, take } from "../plan/gate.ts";
import { type ValueId, shareOf, wireOf, type InfoOf } from "../plan/value.ts";
import { liftedMask, minusCarry, publicLift, publicLiftNonNegative, topBits } from "../product/narrow-wire.ts";
import { tiles } from "../product/tiles.ts";

/** Wire -> share in a larger ring; |x| < a quarter of the wire's ring, unless nonNegative. */
export interface ExtendInstruction {
  readonly gate: "extend";
  readonly x: ValueId;
  readonly out: ValueId;
  /** x is hardly negative, and may be as large as half the wire's ring (narrow-wire.ts). */
  readonly nonNegative?: true;
}

/** Wire to share in any ring. */
export const extend: Gate<ExtendInstruction> = {
  name: "extend",
  does: "a narrow wire as a share of a larger ring: two dealt words of K - k bits",
  operands: { x: (need) => need },
  cost: { onlineBits: "0", dealtBits: "2 * count * extraBits", rounds: "0", multiplyAdds: "2 * count" },
  quantities: (instruction, info) => sizes(instruction, info),
  tables() {},
  dealt(instruction, info) {
    const { count, extraBits } = sizes(instruction, info);
    if (extraBits === 0) return [];
    return [
      { name: "carry", bits: extraBits, count },
      { name: "top", bits: extraBits, count },
    ];
  },
  party(instruction, walk) {
    const { count, bits, extraBits } = sizes(instruction, walk.info);
    const { masked, mask } = walk.wire(instruction.x);
    const dealt = extraBits > 0 ? { carry: walk.dealt("carry"), top: walk.dealt("top") } : null;
    const out: Words = new BigUint64Array(count);
    const lift = instruction.nonNegative ? publicLiftNonNegative : publicLift;
    for (const { from, to } of tiles(count, 1)) {
      const [tile, r] = [out.subarray(from, to), mask.subarray(from, to)];
      const { centred, low } = lift(masked.subarray(from, to), bits);
      let lifted: Words = r;
      if (dealt !== null) lifted = liftedMask(r, bits, low, take(dealt.carry, to - from), take(dealt.top, to - from));
      if (walk.party === 0) ring.subtract(tile, centred, lifted);
      else ring.scale(tile, lifted, -1n, 0n);
    }
    walk.setShare(instruction.out, out);
  },
  dealer(instruction, walk) {
    const { bits, extraBits } = sizes(instruction, walk.info);
    if (extraBits === 0) return;
    walk.deal("carry", minusCarry(walk.carry(instruction.x)));
    walk.deal("top", topBits(walk.mask(instruction.x), bits));
  },
  clear: ({ x, out }, walk) => walk.setClear(out, walk.clear(x).slice()),
  widths({ x, out, nonNegative }, info) {
    const bits = widthOf(info(x));
    return { bits, belowBits: bits - (nonNegative ? 5 : 2), ringBits: widthOf(info(out)) };
  },
  errorUnits: () => 0,
};

function sizes({ x, out }: ExtendInstruction, info: InfoOf) {
  const wire = wireOf(info(x), "extend");
  return {
    count: wire.rows * wire.columns,
    bits: wire.bits,
    extraBits: Math.max(0, shareOf(info(out)).ringBits - wire.bits),
  };
}
