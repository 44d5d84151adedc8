/**
 * Scores: every query times every key that it sees.
 *
 * Functionality: out (entries, head-major) = q_i . k_j mod 2^K for each visible (i, j); q [queries, heads * headDim], k [past + queries,
 *   kvHeads * headDim], wires of at least K bits: X Y' - X [s]' - [r] Y' + [r s'], where [r s'] is dealt for visible entries only.
 * Parties: every party on its own words; party 0 adds the public part.
 * Leaks: nothing (local; dealt words are uniform). Entries that no query sees are neither computed on secrets nor dealt.
 * Assumes: bits of q and k >= ringBits of out; the masks of q and k are independent and used for no other opened value.
 * Cost: `scores.cost`; K bits dealt an entry. Error bound: 0 units.
 * Reference: Beaver's matrix triples over masked wires, 10.1007/3-540-46766-1_34; smpc.md, gate 3. Proof: expansion of (X - r)(Y - s)'.
 * Test: tests/protocols/smpc/scores.test.ts
 */
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import { entryCount, keyCount, kvHeadOf, rowOffsets, visibleKeys } from "../plan/attention-layout.ts";
import type { Gate } from "../plan/gate.ts";
import { productPairs, sumOfProducts, type Block } from "../product/head-product.ts";
import type { AttentionLayout, InstructionOf, ValueId, ValueInfo } from "../plan/instruction.ts";
import { shareOf } from "../plan/plan-builder.ts";
import { take } from "../product/tiles.ts";
import { wireOf } from "../plan/wire-of.ts";
import { signed } from "./open.ts";
import { widthOf } from "../plan/width-of.ts";

/** q k' of visible entries. */
export const scores: Gate<"scores"> = {
  name: "scores",
  cost: {
    onlineBits: "0",
    dealtBits: "entries * ringBits",
    rounds: "0",
    multiplyAdds: "2 * heads * queries * keys * headDim",
  },
  quantities(instruction, info) {
    const { layout } = instruction;
    const { heads, queries, headDim } = layout;
    const [entries, keys] = [entryCount(layout), keyCount(layout)];
    return { entries, ringBits: ringBitsOf(instruction, info), heads, queries, keys, headDim };
  },
  dealt: (instruction, info) => [
    { name: "mask mask", bits: ringBitsOf(instruction, info), count: entryCount(instruction.layout) },
  ],
  party(instruction, walk) {
    const ringBits = ringBitsOf(instruction, walk.info);
    const pairs = productPairs(walk.wire(instruction.q), walk.wire(instruction.k), walk.party);
    const out = products(instruction.layout, pairs, ringBits);
    ring.add(out, out, take(walk.dealt("mask mask"), out.length));
    walk.setShare(instruction.out, out);
  },
  dealer(instruction, walk) {
    const pair = [walk.mask(instruction.q), walk.mask(instruction.k)] as const;
    walk.deal("mask mask", products(instruction.layout, [pair], ringBitsOf(instruction, walk.info)));
  },
  clear(instruction, walk) {
    const ringBits = ringBitsOf(instruction, walk.info);
    const pair = [walk.clear(instruction.q), walk.clear(instruction.k)] as const;
    walk.setClear(instruction.out, signed(products(instruction.layout, [pair], ringBits), ringBits));
  },
  widths({ q, k, out }, info) {
    const ringBits = widthOf(info(out));
    return { ringBits, spareBits: Math.min(widthOf(info(q)), widthOf(info(k))) - ringBits };
  },
  errorUnits: () => 0,
};

function ringBitsOf({ q, k, out }: InstructionOf<"scores">, info: (id: ValueId) => ValueInfo): number {
  const { ringBits } = shareOf(info(out));
  const bits = Math.min(wireOf(info(q), "scores").bits, wireOf(info(k), "scores").bits);
  if (bits < ringBits) throw new Error(`scores: expected wires of at least ${ringBits} bits, got ${bits}`);
  return ringBits;
}

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
