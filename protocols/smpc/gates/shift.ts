/**
 * Shift: truncation in a ring that shrinks with it.
 *
 * Functionality: out in Z_{2^(K - t)} is x in Z_{2^K} times 2^-t, up to the error bound, never off by a wrap; t = bits.
 * Parties: every party shifts the canonical residue of its own share; party 0 adds n 2^(t - 1) before, which centres the error.
 * Leaks: nothing (local).
 * Assumes: ringBits of x (K) >= ringBits of out + t.
 * Cost: `shift.cost`; no communication, nothing dealt; t bits of ring are spent.
 * Error bound: each party drops a remainder in [0, 1) units, so the sum is in (x 2^-t - n/2, x 2^-t + n/2] as a real number; the
 *   clear reading rounds to nearest, ties up, and is at most floor(n / 2) units from it.
 * Reference: smpc.md, gate 0; the local truncation that keeps the ring (SecureML, 10.1109/SP.2017.12) fails with some probability.
 * Proof: proofs/lemmas/shift.ts. Test: tests/protocols/smpc/shift.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import type { Gate } from "../plan/gate.ts";
import type { ValueId } from "../plan/value.ts";

/** out = x >> bits, in a ring that is `bits` smaller. */
export interface ShiftInstruction {
  readonly gate: "shift";
  readonly x: ValueId;
  readonly out: ValueId;
  readonly bits: number;
}

/** Truncation that spends ring bits. */
export const shift: Gate<ShiftInstruction> = {
  name: "shift",
  does: "fewer fractional bits, in a ring as much smaller: never a wrap",
  operands: { x: (need, { bits }) => need + bits },
  cost: { onlineBits: "0", dealtBits: "0", rounds: "0", multiplyAdds: "0" },
  quantities: () => ({}),
  tables() {},
  dealt: () => [],
  party({ x: id, out: to, bits }, walk) {
    const [x, info] = [walk.share(id), walk.info(id)];
    if (info.kind !== "share") throw new Error("shift: expected a share, got a wire");
    const out: Words = new BigUint64Array(x.length);
    const isCentring = walk.party === 0 && bits > 0;
    if (isCentring) ring.scale(out, x, 1n, BigInt(walk.parties) << BigInt(bits - 1));
    ring.shiftRight(out, isCentring ? out : x, info.ringBits, bits, 0n);
    walk.setShare(to, out);
  },
  dealer() {},
  clear({ x: id, out: to, bits }, walk) {
    const x = walk.clear(id);
    walk.setClear(to, bits === 0 ? x.slice() : rounded(x, bits));
  },
  widths({ x, out, bits: shiftBits }, info) {
    const ringBits = widthOf(info(out));
    return { ringBits, shiftBits, spareBits: widthOf(info(x)) - shiftBits - ringBits };
  },
  errorUnits: ({ bits }, { parties }) => (bits === 0 ? 0 : Math.floor(parties / 2)),
};

/** floor(x / 2^bits + 1/2) of signed words. */
function rounded(x: Words, bits: number): Words {
  // Signed words as unsigned ones 2^63 higher: then the logical shift is the arithmetic one, and 2^(63 - bits) comes off again.
  const out = new BigUint64Array(x.length);
  ring.scale(out, x, 1n, 1n << 63n);
  ring.shiftRight(out, out, 64, bits, -(1n << BigInt(63 - bits)));
  const halves = new BigUint64Array(x.length); // the highest bit that was dropped
  ring.shiftRight(halves, x, bits, bits - 1, 0n);
  ring.add(out, out, halves);
  return out;
}
