/**
 * Square scale: the square of every attention entry times one secret number of its row.
 *
 * Functionality: out_ij = x_ij^2 * scale_i mod 2^K; wires of k and l bits, and a share of x^2 (gate squares). With x = A - R,
 *   R = r - 2^k u m and scale = B - S, S = s - 2^l v n (narrow-wire.ts): x^2 scale = B [x^2] - x^2 S, and for every q
 *   x^2 q = A^2 q + F(q), F(q) = r^2 q - 2 A r q - 2^(k+1) u (m (r - 2^(k-1)) q - A m q), because m^2 = m and u^2 = u; F(S) = F(s) - 2^l v F(n).
 * Parties: every party on its own words.
 * Leaks: nothing (local; dealt words are uniform).
 * Assumes: x in [-2^(k - 5), 15 * 2^(k - 5)]; scale in [-2^(l - 2), 2^(l - 2)) where K > l, any residue mod 2^l else; both wires were
 *   opened, under independent masks; `square` is x^2 mod 2^K.
 * Cost: `squareScale.cost`; an entry is dealt r^2 s, r s and two words of K - k - 1 bits, and as much less l bits each where K > l.
 * Error bound: r^2 s is dealt without its droppedBits lowest bits, rounded: half of 2^droppedBits units.
 * Reference: smpc.md, gates 3 and 8. Proof: proofs/lemmas/lift.ts, rounding.ts and square-scale.ts.
 * Test: tests/protocols/smpc/square-scale.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import { entryCount, rowOffsets, type AttentionLayout } from "../plan/attention-layout.ts";
import { type DealtWords, type Gate, take } from "../plan/gate.ts";
import { type ValueId, shareOf, wireOf, type InfoOf } from "../plan/value.ts";
import {
  liftedMask,
  minusCarry,
  publicLift,
  publicLiftNonNegative,
  topBits,
  type PublicLift,
} from "../product/narrow-wire.ts";
import { tiles } from "../product/tiles.ts";

/** out (entries) = x^2 * scale, a number a row (wire [heads * queries]); x is not negative, `square` a share of x^2 (gate squares). */
export interface SquareScaleInstruction {
  readonly gate: "square-scale";
  readonly x: ValueId;
  readonly square: ValueId;
  readonly scale: ValueId;
  readonly out: ValueId;
  readonly layout: AttentionLayout;
  /** So many low bits of `out` need not be right. */
  readonly droppedBits: number;
}

/** Squares of entries times a number a row. */
export const squareScale: Gate<SquareScaleInstruction> = {
  name: "square-scale",
  does: "squares of attention weights times a number of their row: two dealt words, and two of K - k bits",
  operands: { x: (need) => need, square: (need) => need, scale: (need) => need },
  cost: {
    onlineBits: "0",
    dealtBits:
      "entries * (squareBits + maskBits + 2 * topBits + squareBitsN + maskBitsN + 2 * topBitsN) + 2 * rows * ofScale",
    rounds: "0",
    multiplyAdds: "12 * entries",
  },
  meanings: {
    ofScale: "K - l of the number of a row, at least 0",
    squareBits: "of dealt words r^2 s (without the lowest bits that are dropped)",
    maskBits: "of dealt words r s",
    topBits: "of each of the two dealt words that hold the mask's top bit",
    squareBitsN: "the same with the top bit of s for s",
    maskBitsN: "the same with the top bit of s for s",
    topBitsN: "the same with the top bit of s for s",
  },
  quantities(instruction, info) {
    const { entries, rows, ofScale, withMask, withTop } = sizes(instruction, info);
    return {
      entries,
      rows,
      ofScale,
      ...withMask,
      squareBitsN: withTop.squareBits,
      maskBitsN: withTop.maskBits,
      topBitsN: withTop.topBits,
    };
  },
  tables() {},
  dealt(instruction, info) {
    const { entries, rows, ofScale, withMask, withTop } = sizes(instruction, info);
    return [
      { name: "carry", bits: ofScale, count: rows },
      { name: "top", bits: ofScale, count: rows },
      ...termArrays("mask", withMask, entries),
      ...termArrays("top", withTop, entries),
    ].filter(({ bits }) => bits > 0);
  },
  party(instruction, walk) {
    const { layout, droppedBits } = instruction;
    const { entries, bits, scaleBits, ofScale, withMask, withTop } = sizes(instruction, walk.info);
    const [x, scale, square] = [walk.wire(instruction.x), walk.wire(instruction.scale), walk.share(instruction.square)];
    const { centred, low } = publicLift(scale.masked, scaleBits); // [rows]
    let S: Words = scale.mask;
    if (ofScale > 0) {
      const [carries, tops] = [take(walk.dealt("carry"), low.length), take(walk.dealt("top"), low.length)];
      S = liftedMask(S, scaleBits, low, carries, tops);
    }
    const offsets = rowOffsets(layout);
    const [B, v, s] = [centred, low, S].map((words) => spread(words, offsets)); // [entries]
    const sources = new Map(
      [...termArrays("mask", withMask, entries), ...termArrays("top", withTop, entries)]
        .filter((array) => array.bits > 0)
        .map(({ name }) => [name, walk.dealt(name)]),
    );
    const next = (name: string, length: number): Words | null => {
      const source = sources.get(name);
      return source === undefined ? null : take(source, length);
    };
    const out: Words = new BigUint64Array(entries);
    for (const { from, to } of tiles(entries, 1)) {
      const lift = publicLiftNonNegative(x.masked.subarray(from, to), bits);
      const [tile, product] = [out.subarray(from, to), lift.centred.slice()];
      ring.multiply(tile, B.subarray(from, to), square.subarray(from, to));
      ring.multiply(product, product, lift.centred);
      ring.multiply(product, product, s.subarray(from, to)); // A^2 S
      ring.subtract(tile, tile, product);
      ring.subtract(
        tile,
        tile,
        termsOf(lift, bits, droppedBits, (kind) => next(`${kind} mask`, to - from)),
      );
      if (ofScale === 0) continue;
      const ofTops = termsOf(lift, bits, 0, (kind) => next(`${kind} top`, to - from));
      ring.multiply(ofTops, ofTops, v.subarray(from, to));
      ring.addScaled(tile, tile, ofTops, 1n << BigInt(scaleBits));
    }
    walk.setShare(instruction.out, out);
  },
  dealer(instruction, walk) {
    const { layout, droppedBits } = instruction;
    const { entries, bits, scaleBits, ofScale, withMask, withTop, ringBits } = sizes(instruction, walk.info);
    const [mask, rowMask] = [walk.mask(instruction.x), walk.mask(instruction.scale)];
    const rowTop = topBits(rowMask, scaleBits);
    if (ofScale > 0) {
      walk.deal("carry", minusCarry(walk.carry(instruction.scale)));
      walk.deal("top", rowTop);
    }
    const offsets = rowOffsets(layout);
    const [s, n] = [rowMask, rowTop].map((words) => spread(words, offsets)); // [entries]
    const half = 1n << BigInt(bits - 1);
    for (const { from, to } of tiles(entries, 1)) {
      const r = mask.subarray(from, to);
      const m = topBits(r, bits);
      const [square, halves]: Words[] = [r.slice(), r.slice()];
      ring.multiply(square, r, r);
      ring.scale(halves, r, 1n, -half);
      ring.multiply(halves, halves, m);
      const deal = (name: string, words: Words, factors: Words, dropped: number): void => {
        const product: Words = new BigUint64Array(words.length);
        ring.multiply(product, words, factors.subarray(from, to));
        if (dropped > 0) {
          ring.scale(product, product, 1n, 1n << BigInt(dropped - 1));
          ring.shiftRight(product, product, ringBits, dropped, 0n);
        }
        walk.deal(name, product);
      };
      const words = { square, mask: r, top: m, half: halves } as const;
      for (const { name, bits: width, kind } of termArrays("mask", withMask, entries))
        if (width > 0) deal(name, words[kind], s, kind === "square" ? droppedBits : 0);
      for (const { name, bits: width, kind } of termArrays("top", withTop, entries))
        if (width > 0) deal(name, words[kind], n, 0);
    }
  },
  clear({ x, scale, out: to, layout }, walk) {
    const values = walk.clear(x);
    const out: Words = new BigUint64Array(values.length);
    ring.multiply(out, values, values);
    ring.multiply(out, out, spread(walk.clear(scale), rowOffsets(layout)));
    walk.setClear(to, out);
  },
  widths({ x, scale, square, out, droppedBits }, info) {
    const [bits, scaleBits, ringBits] = [x, scale, out].map((id) => widthOf(info(id)));
    const spareBits = widthOf(info(square)) - ringBits;
    return { bits, belowBits: bits - 5, scaleBits, ringBits, droppedBits, keptBits: ringBits - droppedBits, spareBits };
  },
  errorUnits: ({ droppedBits }) => (droppedBits > 0 ? 2 ** (droppedBits - 1) : 0),
};

/** The words that are dealt times a mask or its top: r^2, r, m, m (r - 2^(k-1)). */
type TermKind = "square" | "mask" | "top" | "half";

/** Bits of r^2 q, of r q, of m q and m (r - 2^(k-1)) q. */
interface TermBits {
  readonly squareBits: number;
  readonly maskBits: number;
  readonly topBits: number;
}

function termArrays(
  factor: "mask" | "top",
  { squareBits, maskBits, topBits: tops }: TermBits,
  count: number,
): (DealtWords & { readonly kind: TermKind })[] {
  const bits = { square: squareBits, mask: maskBits, top: tops, half: tops } as const;
  return (["square", "mask", "top", "half"] as const).map((kind) => ({
    name: `${kind} ${factor}`,
    bits: bits[kind],
    count,
    kind,
  }));
}

/** A party's share of F(q) from its dealt words; those that the ring doesn't hold are null. */
function termsOf(
  { centred, low }: PublicLift,
  bits: number,
  droppedBits: number,
  next: (kind: TermKind) => Words | null,
): Words {
  const out = next("square") ?? new BigUint64Array(centred.length);
  if (droppedBits > 0) ring.scale(out, out, 1n << BigInt(droppedBits), 0n);
  const masks = next("mask");
  if (masks !== null) {
    ring.multiply(masks, masks, centred);
    ring.addScaled(out, out, masks, -2n);
  }
  const [tops, halves] = [next("top"), next("half")];
  if (tops === null || halves === null) return out;
  ring.multiply(tops, tops, centred);
  ring.subtract(halves, halves, tops);
  ring.multiply(halves, halves, low);
  ring.addScaled(out, out, halves, -(1n << BigInt(bits + 1)));
  return out;
}

/** Each row's word at every one of its entries. */
function spread(words: Words, offsets: Int32Array): Words {
  const out: Words = new BigUint64Array(offsets[offsets.length - 1]);
  words.forEach((word, row) => out.fill(word, offsets[row], offsets[row + 1]));
  return out;
}

function sizes({ x, square, scale, out, layout, droppedBits }: SquareScaleInstruction, info: InfoOf) {
  const [wire, rowWire] = [wireOf(info(x), "square-scale"), wireOf(info(scale), "square-scale")];
  const { ringBits } = shareOf(info(out));
  const entries = entryCount(layout);
  const rows = layout.heads * layout.queries;
  for (const [what, { rows: height, columns }, expected] of [
    ["entries", wire, entries],
    ["squares", shareOf(info(square)), entries],
    ["scales", rowWire, rows],
  ] as const)
    if (height * columns !== expected)
      throw new Error(`square-scale: expected ${expected} ${what}, got ${height * columns}`);
  if (!(droppedBits >= 0 && droppedBits < ringBits))
    throw new Error(`square-scale: expected to drop less than ${ringBits} bits, got ${droppedBits}`);
  const { bits } = wire;
  const ofScale = Math.max(0, ringBits - rowWire.bits);
  return {
    entries,
    rows,
    bits,
    scaleBits: rowWire.bits,
    ringBits,
    ofScale,
    withMask: termBits(ringBits, bits, droppedBits),
    withTop: termBits(ofScale, bits, 0),
  };
}

/** r q is doubled; m and all products with it come with 2^(k + 1). */
const termBits = (ringBits: number, bits: number, droppedBits: number): TermBits => ({
  squareBits: Math.max(0, ringBits - droppedBits),
  maskBits: Math.max(0, ringBits - 1),
  topBits: Math.max(0, ringBits - bits - 1),
});
