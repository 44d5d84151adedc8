/**
 * Mix: every query's weights times the values that it sees.
 *
 * Functionality: out [queries, heads * headDim] = sum over visible j of p_ij v_j mod 2^K; p entries (head-major), v [past + queries,
 *   kvHeads * headDim], wires of at least K bits: X Y - X [s] - [r] Y + [r s]; entries that no query sees are public zeros. Values of
 *   a public prefix are integers: for them [p] = X - [r] times the integer.
 * Parties: every party on its own words; party 0 adds the public part.
 * Leaks: nothing (local; dealt words are uniform).
 * Assumes: bits of p and v >= ringBits of out; the masks of p and v are independent and used for no other opened value.
 * Cost: `mix.cost`; K bits dealt an element of out. Error bound: 0 units.
 * Reference: Beaver's matrix triples over masked wires, 10.1007/3-540-46766-1_34; smpc.md, gate 3.
 * Proof: proofs/lemmas/products.ts and public-products.ts. Test: tests/protocols/smpc/mix.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import { ring } from "../../../shares/ring.ts";
import { signed } from "../../../shares/signed-words.ts";
import type { Words } from "../../../shares/words.ts";
import {
  kvHeadOf,
  partOffsets,
  prefixOf,
  publicKeys,
  secretKeys,
  splitParts,
  type AttentionLayout,
  type KeyPart,
  type PublicRows,
} from "../plan/attention-layout.ts";
import { type InfoOf, type ValueId } from "../plan/value.ts";
import type { Gate, PublicFactors } from "../plan/gate.ts";
import { sumOfProducts, type Block } from "../product/head-product.ts";
import {
  fittingBits,
  productQuantities,
  dealtForAttention,
  partyAttention,
  dealAttention,
  clearAttention,
  wireShare,
  type AttentionProduct,
} from "../product/attention-product.ts";

/** out [queries, heads * headDim] = sum over visible keys of p (entries) * v; wires of equal bits, the product mod 2^bits. */
export interface MixInstruction {
  readonly gate: "mix";
  readonly p: ValueId;
  readonly v: ValueId;
  readonly out: ValueId;
  readonly layout: AttentionLayout;
  /** Values of the layout's prefix, [prefix, kvHeads * headDim] at the fracBits of v; absent: there is none. */
  readonly prefix?: PublicRows;
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
    multiplyAdds: "heads * queries * (2 * keys + prefix) * headDim",
  },
  quantities: (instruction, info) => productQuantities(product(instruction), info),
  tables({ v, layout, prefix }, info, tables) {
    if (prefix !== undefined) tables.vector(prefix.vector, prefix.factor, info(v).fracBits, publicWords(layout));
  },
  dealt: (instruction, info) => dealtForAttention(product(instruction), info),
  party(instruction, walk) {
    const ofSecret = partyAttention(product(instruction), walk);
    const p = (): Words => wireShare(walk.wire(instruction.p), walk.party);
    walk.setShare(instruction.out, withPrefix(instruction, p, ofSecret, walk));
  },
  dealer: (instruction, walk) => dealAttention(product(instruction), walk),
  clear(instruction, walk) {
    const ofSecret = clearAttention(product(instruction), walk);
    const all = withPrefix(instruction, () => walk.clear(instruction.p), ofSecret, walk);
    walk.setClear(instruction.out, all === ofSecret ? all : signed(all, widthOf(walk.info(instruction.out))));
  },
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
  secretOf: (x) => splitParts(layout, x).ofSecret,
  count: layout.queries * layout.heads * layout.headDim,
  multiply: (pairs, bits) => products(layout, secretKeys(layout), pairs, bits),
});

/** The entries p of public keys times the public values, and what comes of the secret ones. */
function withPrefix(
  { v, out, layout, prefix }: MixInstruction,
  p: () => Words,
  ofSecret: Words,
  { info, factors }: { readonly info: InfoOf; readonly factors: PublicFactors },
): Words {
  if (prefix === undefined) return ofSecret;
  const values = factors.vector(prefix.vector, prefix.factor, info(v).fracBits, publicWords(layout));
  const { ofPublic } = splitParts(layout, p());
  const all = products(layout, publicKeys(layout), [[ofPublic, values]], widthOf(info(out)));
  ring.add(all, all, ofSecret);
  return all;
}

const publicWords = (layout: AttentionLayout): number => prefixOf(layout) * layout.kvHeads * layout.headDim;

/** Sum of x y over the pairs of x (entries) and y [keys, kvHeads * headDim], mod 2^bits: [queries, heads * headDim]. */
function products(
  layout: AttentionLayout,
  part: KeyPart,
  pairs: readonly (readonly [Words, Words])[],
  bits: number,
): Words {
  const { heads, kvHeads, headDim, queries } = layout;
  const keys = part.count;
  const out: Words = new BigUint64Array(queries * heads * headDim);
  for (let head = 0; head < heads; head++) {
    const blocks = pairs.map(([x, y]): [Block, Block] => [
      { words: denseHead(layout, part, x, head), offset: 0, rowStride: keys, columnStride: 1 },
      { words: y, offset: kvHeadOf(layout, head) * headDim, rowStride: kvHeads * headDim, columnStride: 1 },
    ]);
    const mixed = sumOfProducts(blocks, { rows: queries, inner: keys, columns: headDim }, bits); // [queries, headDim]
    for (let query = 0; query < queries; query++)
      out.set(mixed.subarray(query * headDim, (query + 1) * headDim), (query * heads + head) * headDim);
  }
  return out;
}

/** The entries of one head as a matrix [queries, keys], zeros where no query sees. */
function denseHead(layout: AttentionLayout, part: KeyPart, entries: Words, head: number): Words {
  const { queries } = layout;
  const [keys, offsets] = [part.count, partOffsets(layout, part)];
  const dense: Words = new BigUint64Array(queries * keys);
  for (let query = 0; query < queries; query++) {
    const row = head * queries + query;
    dense.set(entries.subarray(offsets[row], offsets[row + 1]), query * keys + part.visible(query).first);
  }
  return dense;
}
