/**
 * Mix: every query's weights times the values that it sees.
 *
 * Functionality: out [queries, heads * headDim] = sum over visible j of p_ij v_j mod 2^K; p entries (head-major), v [past + queries,
 *   kvHeads * headDim], wires of at least K bits: X Y - X [s] - [r] Y + [r s]; entries that no query sees are public zeros.
 * Parties: every party on its own words; party 0 adds the public part.
 * Leaks: nothing (local; dealt words are uniform).
 * Assumes: bits of p and v >= ringBits of out; the masks of p and v are independent and used for no other opened value.
 * Cost: `mix.cost`; K bits dealt an element of out. Error bound: 0 units.
 * Reference: Beaver's matrix triples over masked wires, 10.1007/3-540-46766-1_34; smpc.md, gate 3. Proof: expansion of (X - r)(Y - s).
 * Test: tests/protocols/smpc/mix.test.ts
 */
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import { keyCount, kvHeadOf, rowOffsets, visibleKeys } from "../plan/attention-layout.ts";
import type { Gate } from "../plan/gate.ts";
import { productPairs, sumOfProducts, type Block } from "../product/head-product.ts";
import type { AttentionLayout, InstructionOf, ValueId, ValueInfo } from "../plan/instruction.ts";
import { shareOf } from "../plan/plan-builder.ts";
import { take } from "../product/tiles.ts";
import { wireOf } from "../plan/wire-of.ts";
import { signed } from "./open.ts";
import { widthOf } from "../plan/width-of.ts";

/** p v over visible entries. */
export const mix: Gate<"mix"> = {
  name: "mix",
  cost: {
    onlineBits: "0",
    dealtBits: "queries * heads * headDim * ringBits",
    rounds: "0",
    multiplyAdds: "2 * heads * queries * keys * headDim",
  },
  quantities(instruction, info) {
    const { heads, queries, headDim } = instruction.layout;
    return { ringBits: ringBitsOf(instruction, info), heads, queries, keys: keyCount(instruction.layout), headDim };
  },
  dealt(instruction, info) {
    const { heads, queries, headDim } = instruction.layout;
    return [{ name: "mask mask", bits: ringBitsOf(instruction, info), count: queries * heads * headDim }];
  },
  party(instruction, walk) {
    const ringBits = ringBitsOf(instruction, walk.info);
    const pairs = productPairs(walk.wire(instruction.p), walk.wire(instruction.v), walk.party);
    const out = products(instruction.layout, pairs, ringBits);
    ring.add(out, out, take(walk.dealt("mask mask"), out.length));
    walk.setShare(instruction.out, out);
  },
  dealer(instruction, walk) {
    const pair = [walk.mask(instruction.p), walk.mask(instruction.v)] as const;
    walk.deal("mask mask", products(instruction.layout, [pair], ringBitsOf(instruction, walk.info)));
  },
  clear(instruction, walk) {
    const ringBits = ringBitsOf(instruction, walk.info);
    const pair = [walk.clear(instruction.p), walk.clear(instruction.v)] as const;
    walk.setClear(instruction.out, signed(products(instruction.layout, [pair], ringBits), ringBits));
  },
  widths({ p, v, out }, info) {
    const ringBits = widthOf(info(out));
    return { ringBits, spareBits: Math.min(widthOf(info(p)), widthOf(info(v))) - ringBits };
  },
  errorUnits: () => 0,
};

function ringBitsOf({ p, v, out }: InstructionOf<"mix">, info: (id: ValueId) => ValueInfo): number {
  const { ringBits } = shareOf(info(out));
  const bits = Math.min(wireOf(info(p), "mix").bits, wireOf(info(v), "mix").bits);
  if (bits < ringBits) throw new Error(`mix: expected wires of at least ${ringBits} bits, got ${bits}`);
  return ringBits;
}

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
    const product = sumOfProducts(blocks, { rows: queries, inner: keys, columns: headDim }, bits); // [queries, headDim]
    for (let query = 0; query < queries; query++)
      out.set(product.subarray(query * headDim, (query + 1) * headDim), (query * heads + head) * headDim);
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
