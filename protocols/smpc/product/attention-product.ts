/**
 * The product of two wires over the heads of an attention, mod 2^K: what `scores` (queries times keys) and `mix` (weights times values)
 * have in common. (X - r)(Y - s) = X Y - X [s] - [r] Y + [r s], where [r s] is dealt, a word for each one that comes out.
 * Keys and values of a public prefix take no part in it: a wire times public integers is local (`wireShare`).
 * Reference: Beaver's matrix triples over masked wires, 10.1007/3-540-46766-1_34. Test: tests/protocols/smpc/scores.test.ts, mix.test.ts
 */
import { ring } from "../../../shares/ring.ts";
import { signed } from "../../../shares/signed-words.ts";
import type { MaskedWords, ShareWords, Words } from "../../../shares/words.ts";
import { keyCount, prefixOf, type AttentionLayout } from "../plan/attention-layout.ts";
import {
  take,
  type ClearWalk,
  type DealerWalk,
  type DealtWords,
  type PartyWalk,
  type PartyWire,
} from "../plan/gate.ts";
import { RingBudgetError } from "../plan/ring-budget-error.ts";
import { shareOf, wireOf, type InfoOf, type ValueId } from "../plan/value.ts";
import { productPairs } from "./head-product.ts";

/** One product: out = x y. */
export interface AttentionProduct {
  /** Named in errors. */
  readonly gate: string;
  readonly x: ValueId;
  readonly y: ValueId;
  readonly out: ValueId;
  readonly layout: AttentionLayout;
  /** The words of x that meet secret ones. */
  readonly secretOf: (x: Words) => Words;
  /** Words that come out. */
  readonly count: number;
  /** The sum of x y over the pairs [x, y], in a fresh array [count]; right mod 2^bits, garbage above. */
  readonly multiply: (pairs: readonly (readonly [Words, Words])[], bits: number) => Words;
}

const DEALT = "mask mask";

/** `need` bits of a product, which is known mod 2^bits of its wires only. Throws RingBudgetError naming `gate` and the wire. */
export function fittingBits(need: number, wire: ValueId, info: InfoOf, gate: string): number {
  const { bits } = wireOf(info(wire), gate);
  if (need > bits)
    throw new RingBudgetError(`${gate}: expected a ring of at most the wires' ${bits} bits, got ${need}`, {
      values: [wire],
    });
  return need;
}

/** Quantities of the cost expressions. Throws Error for wires that are narrower than the ring. */
export function productQuantities(product: AttentionProduct, info: InfoOf) {
  const { heads, queries, headDim } = product.layout;
  const { layout } = product;
  return {
    ringBits: ringBitsOf(product, info),
    heads,
    queries,
    keys: keyCount(layout),
    prefix: prefixOf(layout),
    headDim,
  };
}

/** What is dealt: [r s]. */
export const dealtForAttention = (product: AttentionProduct, info: InfoOf): DealtWords[] => [
  { name: DEALT, bits: ringBitsOf(product, info), count: product.count },
];

/** A party's share of the product [count]. */
export function partyAttention(product: AttentionProduct, walk: PartyWalk): Words {
  const { masked, mask } = walk.wire(product.x);
  const x = { masked: product.secretOf(masked) as MaskedWords, mask: product.secretOf(mask) as ShareWords };
  const pairs = productPairs(x, walk.wire(product.y), walk.party);
  const out = product.multiply(pairs, ringBitsOf(product, walk.info));
  ring.add(out, out, take(walk.dealt(DEALT), out.length));
  return out;
}

/** Deals for a product, from the masks of its operands. */
export function dealAttention(product: AttentionProduct, walk: DealerWalk): void {
  const pair = [product.secretOf(walk.mask(product.x)), walk.mask(product.y)] as const;
  walk.deal(DEALT, product.multiply([pair], ringBitsOf(product, walk.info)));
}

/** The product in the clear, signed mod 2^K. */
export function clearAttention(product: AttentionProduct, walk: ClearWalk): Words {
  const ringBits = ringBitsOf(product, walk.info);
  return signed(
    product.multiply([[product.secretOf(walk.clear(product.x)), walk.clear(product.y)]], ringBits),
    ringBits,
  );
}

/** A party's share of what a wire holds, mod 2^bits of the wire: the public word at party 0, less the mask's share. */
export function wireShare({ masked, mask }: PartyWire, party: number): Words {
  const share: Words = new BigUint64Array(mask.length);
  if (party === 0) ring.subtract(share, masked, mask);
  else ring.scale(share, mask, -1n, 0n);
  return share;
}

function ringBitsOf({ gate, x, y, out }: AttentionProduct, info: InfoOf): number {
  const { ringBits } = shareOf(info(out));
  const bits = Math.min(wireOf(info(x), gate).bits, wireOf(info(y), gate).bits);
  if (bits < ringBits) throw new Error(`${gate}: expected wires of at least ${ringBits} bits, got ${bits}`);
  return ringBits;
}
