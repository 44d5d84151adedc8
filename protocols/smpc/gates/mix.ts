/**
 * Mix: every query's weights times the values that it sees.
 *
 * Functionality: out [queries, heads * headDim] = sum over visible j of p_ij v_j mod 2^K; p entries (head-major), v [past + queries,
 *   kvHeads * headDim], wires of at least K bits: X Y - X [s] - [r] Y + [r s]; entries that no query sees are public zeros.
 * Parties: every party on its own words; party 0 adds the public part.
 * Leaks: nothing (local; dealt words are uniform).
 * Assumes: bits of p and v >= ringBits of out; the masks of p and v are independent and used for no other opened value.
 * Cost: `mix.cost`; K bits dealt an element of out. Error bound: 0 units.
 * Reference: Beaver's matrix triples over masked wires, 10.1007/3-540-46766-1_34; smpc.md, gate 3.
 * Proof: proofs/lemmas/products.ts. Test: tests/protocols/smpc/mix.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import type { Words } from "../../../shares/words.ts";
import { keyCount, kvHeadOf, rowOffsets, visibleKeys, type AttentionLayout } from "../plan/attention-layout.ts";
import { type ValueId } from "../plan/value.ts";
import { type Gate } from "../plan/gate.ts";
import { sumOfProducts, type Block } from "../product/head-product.ts";
import {
  fittingBits,
  productQuantities,
  dealtForAttention,
  partyAttention,
  dealAttention,
  clearAttention,
  type AttentionProduct,
} from "../product/attention-product.ts";

/** out [queries, heads * headDim] = sum over visible keys of p (entries) * v; wires of equal bits, the product mod 2^bits. */
export interface MixInstruction {
  readonly gate: "mix";
  readonly p: ValueId;
  readonly v: ValueId;
  readonly out: ValueId;
  readonly layout: AttentionLayout;
}

/** p v over visible entries. */
export const mix: Gate<MixInstruction> = {
  name: "mix",
  does: "attention weights times values: a dealt word an element of the result",
  operands: { p: (need) => need, v: (need, { v }, info) => fittingBits(need, v, info, "mix") },
  cost: {
    onlineBits: "0",
    dealtBits: "queries * heads * headDim * ringBits",
    rounds: "0",
    multiplyAdds: "2 * heads * queries * keys * headDim",
  },
  quantities: (instruction, info) => productQuantities(product(instruction), info),
  tables() {},
  dealt: (instruction, info) => dealtForAttention(product(instruction), info),
  party: (instruction, walk) => walk.setShare(instruction.out, partyAttention(product(instruction), walk)),
  dealer: (instruction, walk) => dealAttention(product(instruction), walk),
  clear: (instruction, walk) => walk.setClear(instruction.out, clearAttention(product(instruction), walk)),
  widths({ p, v, out }, info) {
    const ringBits = widthOf(info(out));
    return { ringBits, spareBits: Math.min(widthOf(info(p)), widthOf(info(v))) - ringBits };
  },
  errorUnits: () => 0,
};

const product = ({ p, v, out, layout }: MixInstruction): AttentionProduct => ({
  gate: "mix",
  x: p,
  y: v,
  out,
  layout,
  count: layout.queries * layout.heads * layout.headDim,
  multiply: (pairs, bits) => products(layout, pairs, bits),
});

/** Sum of x y over the pairs of x (entries) and y [keys, kvHeads * headDim], mod 2^bits: [queries, heads * headDim]. */
function products(layout: AttentionLayout, pairs: readonly (readonly [Words, Words])[], bits: number): Words {
  const { heads, kvHeads, headDim, queries } = layout;
  const keys = keyCount(layout);
  const out: Words = new BigUint64Array(queries * heads * headDim);
  for (let head = 0; head < heads; head++) {
    const blocks = pairs.map(([x, y]): [Block, Block] => [
      { words: denseHead(layout, x, head), offset: 0, rowStride: keys, columnStride: 1 },
      { words: y, offset: kvHeadOf(layout, head) * headDim, rowStride: kvHeads * headDim, columnStride: 1 },
    ]);
    const mixed = sumOfProducts(blocks, { rows: queries, inner: keys, columns: headDim }, bits); // [queries, headDim]
    for (let query = 0; query < queries; query++)
      out.set(mixed.subarray(query * headDim, (query + 1) * headDim), (query * heads + head) * headDim);
  }
  return out;
}

/** The entries of one head as a matrix [queries, keys], zeros where no query sees. */
function denseHead(layout: AttentionLayout, entries: Words, head: number): Words {
  const { queries } = layout;
  const [keys, offsets] = [keyCount(layout), rowOffsets(layout)];
  const dense: Words = new BigUint64Array(queries * keys);
  for (let query = 0; query < queries; query++) {
    const row = head * queries + query;
    dense.set(entries.subarray(offsets[row], offsets[row + 1]), query * keys + visibleKeys(layout, query).first);
  }
  return dense;
}
