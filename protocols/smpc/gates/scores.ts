/**
 * Scores: every query times every key that it sees.
 *
 * Functionality: out (entries, head-major) = q_i . k_j mod 2^K for each visible (i, j); q [queries, heads * headDim], k [past + queries,
 *   kvHeads * headDim], wires of at least K bits: X Y' - X [s]' - [r] Y' + [r s'], where [r s'] is dealt for visible entries only. Keys of
 *   a public prefix are integers: for them [q] = X - [r] times the integer.
 * Parties: every party on its own words; party 0 adds the public part.
 * Leaks: nothing (local; dealt words are uniform). Entries that no query sees are neither computed on secrets nor dealt,
 *   and for keys of the prefix nothing is dealt or opened.
 * Assumes: bits of q and k >= ringBits of out; the masks of q and k are independent and used for no other opened value.
 * Cost: `scores.cost`; K bits dealt an entry. Error bound: 0 units.
 * Reference: Beaver's matrix triples over masked wires, 10.1007/3-540-46766-1_34; smpc.md, gate 3.
 * Proof: proofs/lemmas/products.ts and public-products.ts. Test: tests/protocols/smpc/scores.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import { signed } from "../../../shares/signed-words.ts";
import type { Words } from "../../../shares/words.ts";
import {
  joinParts,
  kvHeadOf,
  partCount,
  partOffsets,
  prefixOf,
  publicKeys,
  secretKeys,
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

/** out (entries) = q . k for every visible entry; wires of equal bits, the product mod 2^bits. */
export interface ScoresInstruction {
  readonly gate: "scores";
  readonly q: ValueId;
  readonly k: ValueId;
  readonly out: ValueId;
  readonly layout: AttentionLayout;
  /** Keys of the layout's prefix, [prefix, kvHeads * headDim] at the fracBits of k; absent: there is none. */
  readonly prefix?: PublicRows;
}

/** q k' of visible entries. */
export const scores: Gate<ScoresInstruction> = {
  name: "scores",
  does: "queries times the keys that they see: a dealt word an entry of a secret key",
  operands: { q: (need, { q }, info) => fittingBits(need, q, info, "scores"), k: (need) => need },
  cost: {
    onlineBits: "0",
    dealtBits: "secretEntries * ringBits",
    rounds: "0",
    multiplyAdds: "heads * queries * (2 * keys + prefix) * headDim",
  },
  meanings: {
    secretEntries: "visible entries of the attention whose keys are secret",
    prefix: "keys of the public prefix",
  },
  quantities: (instruction, info) => ({
    secretEntries: partCount(instruction.layout, secretKeys(instruction.layout)),
    ...productQuantities(product(instruction), info),
  }),
  tables({ k, layout, prefix }, info, tables) {
    if (prefix !== undefined) tables.vector(prefix.vector, prefix.factor, info(k).fracBits, publicWords(layout));
  },
  dealt: (instruction, info) => dealtForAttention(product(instruction), info),
  party(instruction, walk) {
    const ofSecret = partyAttention(product(instruction), walk);
    const q = (): Words => wireShare(walk.wire(instruction.q), walk.party);
    walk.setShare(instruction.out, withPrefix(instruction, q, ofSecret, walk));
  },
  dealer: (instruction, walk) => dealAttention(product(instruction), walk),
  clear(instruction, walk) {
    const ofSecret = clearAttention(product(instruction), walk);
    const all = withPrefix(instruction, () => walk.clear(instruction.q), ofSecret, walk);
    walk.setClear(instruction.out, all === ofSecret ? all : signed(all, widthOf(walk.info(instruction.out))));
  },
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
  secretOf: (x) => x,
  count: partCount(layout, secretKeys(layout)),
  multiply: (pairs, bits) => products(layout, secretKeys(layout), pairs, bits),
});

/** All entries: q [queries, heads * headDim] times the public keys, and those of the secret keys. */
function withPrefix(
  { k, out, layout, prefix }: ScoresInstruction,
  q: () => Words,
  ofSecret: Words,
  { info, factors }: { readonly info: InfoOf; readonly factors: PublicFactors },
): Words {
  if (prefix === undefined) return ofSecret;
  const keys = factors.vector(prefix.vector, prefix.factor, info(k).fracBits, publicWords(layout));
  return joinParts(layout, products(layout, publicKeys(layout), [[q(), keys]], widthOf(info(out))), ofSecret);
}

const publicWords = (layout: AttentionLayout): number => prefixOf(layout) * layout.kvHeads * layout.headDim;

/** Visible entries of the sum of x y' over the pairs of x [queries, heads * headDim] and y [keys, kvHeads * headDim], mod 2^bits. */
function products(
  layout: AttentionLayout,
  part: KeyPart,
  pairs: readonly (readonly [Words, Words])[],
  bits: number,
): Words {
  const { heads, kvHeads, headDim, queries } = layout;
  const [keys, offsets] = [part.count, partOffsets(layout, part)];
  const out: Words = new BigUint64Array(offsets[heads * queries]);
  for (let head = 0; head < heads; head++) {
    const blocks = pairs.map(([x, y]): [Block, Block] => [
      { words: x, offset: head * headDim, rowStride: heads * headDim, columnStride: 1 },
      { words: y, offset: kvHeadOf(layout, head) * headDim, rowStride: 1, columnStride: kvHeads * headDim },
    ]);
    const dense = sumOfProducts(blocks, { rows: queries, inner: headDim, columns: keys }, bits); // [queries, keys]
    for (let query = 0; query < queries; query++) {
      const { first, end } = part.visible(query);
      out.set(dense.subarray(query * keys + first, query * keys + end), offsets[head * queries + query]);
    }
  }
  return out;
}
