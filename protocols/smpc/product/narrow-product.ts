/**
 * Product of two secrets that were opened narrow, in any ring: a [rows, width] times b [rows], b the same for a whole row; width is 1
 * for a product element by element. With a = A - R, R = r - 2^k u m and b = B - S, S = s - 2^l v n (narrow-wire.ts):
 *
 *   a b = A (B - S) - B R + R S,   R S = r s - 2^l v r n - 2^k u m s + 2^(k+l) u v m n.
 *
 * u, v are public, so the dealer deals r, m, s, n and the four products of masks, each mod what is left of the ring above its power of
 * two. Reference: Beaver, 10.1007/3-540-46766-1_34; smpc.md, gate 3. Test: tests/protocols/smpc/row-scale.test.ts, multiply.test.ts
 */
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import { type DealerWalk, type DealtWords, type PartyWalk, type WordSource, take } from "../plan/gate.ts";
import type { ValueId } from "../plan/value.ts";
import { liftedMask, minusCarry, publicLift, topBits } from "./narrow-wire.ts";
import { tiles } from "./tiles.ts";

/** The shape of one product: out [rows, width] = a [rows, width] * b [rows] mod 2^ringBits. */
export interface NarrowProduct {
  readonly a: ValueId;
  readonly b: ValueId;
  readonly rows: number;
  readonly width: number;
  /** k and l. */
  readonly aBits: number;
  readonly bBits: number;
  readonly ringBits: number;
}

/** Bits that an operand lacks, and that both lack together. */
export interface MissingBits {
  readonly ofA: number;
  readonly ofB: number;
  readonly ofBoth: number;
}

/** max(0, K - k), max(0, K - l), max(0, K - k - l). */
export const missingBits = ({ aBits, bBits, ringBits }: NarrowProduct): MissingBits => ({
  ofA: Math.max(0, ringBits - aBits),
  ofB: Math.max(0, ringBits - bBits),
  ofBoth: Math.max(0, ringBits - aBits - bBits),
});

/** What is dealt: r, m [rows, width], s, n [rows], products of them [rows, width]; arrays of no bits are left out. */
export function dealtForProduct(product: NarrowProduct): DealtWords[] {
  const { rows, width, ringBits } = product;
  const { ofA, ofB, ofBoth } = missingBits(product);
  const count = rows * width;
  return [
    { name: "carry-a", bits: ofA, count },
    { name: "top-a", bits: ofA, count },
    { name: "carry-b", bits: ofB, count: rows },
    { name: "top-b", bits: ofB, count: rows },
    { name: "mask-a mask-b", bits: ringBits, count },
    { name: "mask-a top-b", bits: ofB, count },
    { name: "top-a mask-b", bits: ofA, count },
    { name: "top-a top-b", bits: ofBoth, count },
  ].filter(({ bits }) => bits > 0);
}

/** A party's share of the product [rows * width]; right mod 2^ringBits. */
export function partyProduct(product: NarrowProduct, walk: PartyWalk): Words {
  const { rows, width, aBits, bBits } = product;
  const { ofA, ofB, ofBoth } = missingBits(product);
  const [a, b] = [walk.wire(product.a), walk.wire(product.b)];
  const sources = new Map<string, WordSource>();
  for (const { name } of dealtForProduct(product)) sources.set(name, walk.dealt(name));
  const next = (name: string, length: number): Words => take(sources.get(name)!, length);
  const out: Words = new BigUint64Array(rows * width);
  for (const { from, to } of tiles(rows, width)) {
    const length = (to - from) * width;
    const [first, end] = [from * width, to * width];
    const tile = out.subarray(first, end);
    const { centred: A, low: u } = publicLift(a.masked.subarray(first, end), aBits); // [length]
    const { centred: B, low: v } = publicLift(b.masked.subarray(from, to), bBits); // [to - from]
    let R: Words = a.mask.slice(first, end);
    if (ofA > 0) R = liftedMask(R, aBits, u, next("carry-a", length), next("top-a", length));
    let S: Words = b.mask.slice(from, to);
    if (ofB > 0) S = liftedMask(S, bBits, v, next("carry-b", to - from), next("top-b", to - from));

    if (walk.party === 0) ring.subtract(S, B, S);
    else ring.scale(S, S, -1n, 0n);
    ring.multiplySegments(tile, A, S, width);
    ring.multiplySegments(R, R, B, width);
    ring.subtract(tile, tile, R);

    ring.add(tile, tile, next("mask-a mask-b", length));
    if (ofB > 0) {
      const maskTop = next("mask-a top-b", length);
      ring.multiplySegments(maskTop, maskTop, v, width);
      ring.addScaled(tile, tile, maskTop, -(1n << BigInt(bBits)));
    }
    if (ofA > 0) {
      const topMask = next("top-a mask-b", length);
      if (ofBoth > 0) {
        // u m s - 2^l u v m n = u (m s - 2^l v m n)
        const topTop = next("top-a top-b", length);
        ring.multiplySegments(topTop, topTop, v, width);
        ring.addScaled(topMask, topMask, topTop, -(1n << BigInt(bBits)));
      }
      ring.multiply(topMask, topMask, u);
      ring.addScaled(tile, tile, topMask, -(1n << BigInt(aBits)));
    }
  }
  return out;
}

/** Deals for a product, from the masks of its operands. */
export function dealProduct(product: NarrowProduct, walk: DealerWalk): void {
  const { rows, width, aBits, bBits } = product;
  const { ofA, ofB, ofBoth } = missingBits(product);
  const [r, s] = [walk.mask(product.a), walk.mask(product.b)];
  const carryA = ofA > 0 ? minusCarry(walk.carry(product.a)) : null;
  const carryB = ofB > 0 ? minusCarry(walk.carry(product.b)) : null;
  for (const { from, to } of tiles(rows, width)) {
    const [first, end] = [from * width, to * width];
    const [rTile, sTile] = [r.subarray(first, end), s.subarray(from, to)];
    const [m, n] = [topBits(rTile, aBits), topBits(sTile, bBits)];
    const scaled = (x: Words, factors: Words): Words => {
      const scaledTile: Words = new BigUint64Array(x.length);
      ring.multiplySegments(scaledTile, x, factors, width);
      return scaledTile;
    };
    if (carryA !== null) {
      walk.deal("carry-a", carryA.subarray(first, end));
      walk.deal("top-a", m);
    }
    if (carryB !== null) {
      walk.deal("carry-b", carryB.subarray(from, to));
      walk.deal("top-b", n);
    }
    walk.deal("mask-a mask-b", scaled(rTile, sTile));
    if (ofB > 0) walk.deal("mask-a top-b", scaled(rTile, n));
    if (ofA > 0) walk.deal("top-a mask-b", scaled(m, sTile));
    if (ofBoth > 0) walk.deal("top-a top-b", scaled(m, n));
  }
}
