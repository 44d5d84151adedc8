/**
 * Row scale: every group of `width` columns times one secret number, as a norm needs it.
 *
 * Functionality: out [rows, columns] = x [rows, columns] * scale [rows, columns / width] mod 2^K; wires of k and l bits.
 * Parties: every party on its own words; party 0 adds the public part.
 * Leaks: nothing (local; dealt words are uniform).
 * Assumes: x in [-2^(k - 2), 2^(k - 2)) where K > k; scale in [-2^(l - 2), 2^(l - 2)) where K > l, any residue mod 2^l else; both wires
 *   were opened, under independent masks.
 * Cost: `rowScale.cost`; an element is dealt K + 3 (K - k) bits, and (K - l) + max(0, K - k - l) more where K > l.
 * Error bound: 0 units. Reference: narrow-product.ts. Proof: proofs/lemmas/lift.ts and narrow-products.ts.
 * Test: tests/protocols/smpc/row-scale.test.ts
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

/** out [rows, columns] = x * scale [rows, columns / width]; x is narrow; `scale` is wide, and extended where the out ring is wider still. */
export interface RowScaleInstruction {
  readonly gate: "row-scale";
  readonly x: ValueId;
  readonly scale: ValueId;
  readonly out: ValueId;
  readonly width: number;
}

/** Groups of columns times a number each. */
export const rowScale: Gate<RowScaleInstruction> = {
  name: "row-scale",
  does: "groups of columns times a secret number each: dealt products of masks",
  operands: { x: (need) => need, scale: (need) => need },
  cost: {
    onlineBits: "0",
    dealtBits: "groups * width * (ringBits + 3 * ofA + ofB + ofBoth) + 2 * groups * ofB",
    rounds: "0",
    multiplyAdds: "6 * groups * width",
  },
  quantities(instruction, info) {
    const shape = product(instruction, info);
    return { groups: shape.rows, width: shape.width, ringBits: shape.ringBits, ...missingBits(shape) };
  },
  tables() {},
  dealt: (instruction, info) => dealtForProduct(product(instruction, info)),
  party: (instruction, walk) => walk.setShare(instruction.out, partyProduct(product(instruction, walk.info), walk)),
  dealer: (instruction, walk) => dealProduct(product(instruction, walk.info), walk),
  clear({ x, scale, out: to, width }, walk) {
    const out: Words = new BigUint64Array(walk.clear(x).length);
    ring.multiplySegments(out, walk.clear(x), walk.clear(scale), width);
    walk.setClear(to, out);
  },
  widths: ({ x, scale, out }, info) => ({
    aBits: widthOf(info(x)),
    bBits: widthOf(info(scale)),
    ringBits: widthOf(info(out)),
  }),
  errorUnits: () => 0,
};

function product({ x, scale, out, width }: RowScaleInstruction, info: InfoOf): NarrowProduct {
  const [a, b] = [wireOf(info(x), "row-scale"), wireOf(info(scale), "row-scale")];
  const rows = b.rows * b.columns;
  if (rows * width !== a.rows * a.columns)
    throw new Error(`row-scale: expected a scale of every ${width} columns, got ${rows} for ${a.rows * a.columns}`);
  return { a: x, b: scale, rows, width, aBits: a.bits, bBits: b.bits, ringBits: shareOf(info(out)).ringBits };
}
