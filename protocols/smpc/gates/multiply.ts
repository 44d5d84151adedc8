/**
 * Multiply: the product of two secrets, element by element.
 *
 * Functionality: out = a * b mod 2^K for wires of k and l bits of one shape.
 * Parties: every party on its own words; party 0 adds the public part.
 * Leaks: nothing (local; dealt words are uniform).
 * Assumes: a in [-2^(k - 2), 2^(k - 2)) where K > k, b likewise with l; both wires were opened, under independent masks.
 * Cost: `multiply.cost`; an element is dealt K + 3 (K - k) + 3 (K - l) + max(0, K - k - l) bits, differences below 0 as 0.
 * Error bound: 0 units. Reference: narrow-product.ts. Proof: proofs/lemmas/lift.ts and narrow-products.ts.
 * Test: tests/protocols/smpc/multiply.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import type { Gate } from "../plan/gate.ts";
import { type ValueId, shareOf, wireOf, type InfoOf } from "../plan/value.ts";
import {
  dealProduct,
  dealtForProduct,
  missingBits,
  partyProduct,
  type NarrowProduct,
} from "../product/narrow-product.ts";

/** out = a * b, element by element; two narrow wires, the product in any ring. */
export interface MultiplyInstruction {
  readonly gate: "multiply";
  readonly a: ValueId;
  readonly b: ValueId;
  readonly out: ValueId;
}

/** Product of two narrow wires in any ring. */
export const multiply: Gate<MultiplyInstruction> = {
  name: "multiply",
  does: "products of two wires, element by element: dealt products of their masks",
  operands: { a: (need) => need, b: (need) => need },
  cost: {
    onlineBits: "0",
    dealtBits: "count * (ringBits + 3 * ofA + 3 * ofB + ofBoth)",
    rounds: "0",
    multiplyAdds: "8 * count",
  },
  quantities(instruction, info) {
    const shape = product(instruction, info);
    return { count: shape.rows, ringBits: shape.ringBits, ...missingBits(shape) };
  },
  tables() {},
  dealt: (instruction, info) => dealtForProduct(product(instruction, info)),
  party: (instruction, walk) => walk.setShare(instruction.out, partyProduct(product(instruction, walk.info), walk)),
  dealer: (instruction, walk) => dealProduct(product(instruction, walk.info), walk),
  clear({ a, b, out: to }, walk) {
    const out: Words = new BigUint64Array(walk.clear(a).length);
    ring.multiply(out, walk.clear(a), walk.clear(b));
    walk.setClear(to, out);
  },
  widths: ({ a, b, out }, info) => ({
    aBits: widthOf(info(a)),
    bBits: widthOf(info(b)),
    ringBits: widthOf(info(out)),
  }),
  errorUnits: () => 0,
};

function product({ a, b, out }: MultiplyInstruction, info: InfoOf): NarrowProduct {
  const [left, right] = [wireOf(info(a), "multiply"), wireOf(info(b), "multiply")];
  const rows = left.rows * left.columns;
  if (right.rows * right.columns !== rows)
    throw new Error(`multiply: expected wires of one length, got ${rows} and ${right.rows * right.columns}`);
  return { a, b, rows, width: 1, aBits: left.bits, bBits: right.bits, ringBits: shareOf(info(out)).ringBits };
}
