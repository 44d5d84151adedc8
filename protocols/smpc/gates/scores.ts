/**
 * Scores: every query times every key that it sees.
 *
 * Functionality: out (entries, head-major) = q_i . k_j mod 2^K for each visible (i, j); q [queries, heads * headDim], k [past + queries,
 *   kvHeads * headDim], wires of at least K bits: X Y' - X [s]' - [r] Y' + [r s'], where [r s'] is dealt for visible entries only.
 * Parties: every party on its own words; party 0 adds the public part.
 * Leaks: nothing (local; dealt words are uniform). Entries that no query sees are neither computed on secrets nor dealt.
 * Assumes: bits of q and k >= ringBits of out; the masks of q and k are independent and used for no other opened value.
 * Cost: `scores.cost`; K bits dealt an entry. Error bound: 0 units.
 * Reference: Beaver's matrix triples over masked wires, 10.1007/3-540-46766-1_34; smpc.md, gate 3.
 * Proof: proofs/lemmas/products.ts. Test: tests/protocols/smpc/scores.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import type { Words } from "../../../shares/words.ts";
import {
  entryCount,
  keyCount,
  kvHeadOf,
  rowOffsets,
  visibleKeys,
  type AttentionLayout,
} from "../plan/attention-layout.ts";
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

/** out (entries) = q . k for every visible entry; wires of equal bits, the product mod 2^bits. */
export interface ScoresInstruction {
  readonly gate: "scores";
  readonly q: ValueId;
  readonly k: ValueId;
  readonly out: ValueId;
  readonly layout: AttentionLayout;
}

/** q k' of visible entries. */
export const scores: Gate<ScoresInstruction> = {
  name: "scores",
  does: "queries times the keys that they see: a dealt word an entry",
  operands: { q: (need, { q }, info) => fittingBits(need, q, info, "scores"), k: (need) => need },
  cost: {
    onlineBits: "0",
    dealtBits: "entries * ringBits",
    rounds: "0",
    multiplyAdds: "2 * heads * queries * keys * headDim",
  },
  quantities: (instruction, info) => ({
    entries: entryCount(instruction.layout),
    ...productQuantities(product(instruction), info),
  }),
  tables() {},
  dealt: (instruction, info) => dealtForAttention(product(instruction), info),
  party: (instruction, walk) => walk.setShare(instruction.out, partyAttention(product(instruction), walk)),
  dealer: (instruction, walk) => dealAttention(product(instruction), walk),
  clear: (instruction, walk) => walk.setClear(instruction.out, clearAttention(product(instruction), walk)),
  widths({ q, k, out }, info) {
    const ringBits = widthOf(info(out));
    return { ringBits, spareBits: Math.min(widthOf(info(q)), widthOf(info(k))) - ringBits };
  },
  errorUnits: () => 0,
};

const product = ({ q, k, out, layout }: ScoresInstruction): AttentionProduct => ({
  gate: "scores",
  x: q,
  y: k,
  out,
  layout,
  count: entryCount(layout),
  multiply: (pairs, bits) => products(layout, pairs, bits),
});

/** Visible entries of the sum of x y' over the pairs of x [queries, heads * headDim] and y [keys, kvHeads * headDim], mod 2^bits. */
function products(layout: AttentionLayout, pairs: readonly (readonly [Words, Words])[], bits: number): Words {
  const { heads, kvHeads, headDim, queries } = layout;
  const [keys, offsets] = [keyCount(layout), rowOffsets(layout)];
  const out: Words = new BigUint64Array(entryCount(layout));
  for (let head = 0; head < heads; head++) {
    const blocks = pairs.map(([x, y]): [Block, Block] => [
      { words: x, offset: head * headDim, rowStride: heads * headDim, columnStride: 1 },
      { words: y, offset: kvHeadOf(layout, head) * headDim, rowStride: 1, columnStride: kvHeads * headDim },
    ]);
    const dense = sumOfProducts(blocks, { rows: queries, inner: headDim, columns: keys }, bits); // [queries, keys]
    for (let query = 0; query < queries; query++) {
      const { first, end } = visibleKeys(layout, query);
      out.set(dense.subarray(query * keys + first, query * keys + end), offsets[head * queries + query]);
    }
  }
  return out;
}
