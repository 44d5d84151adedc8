/**
 * Dense products of one attention head, on blocks of larger arrays. Test: tests/protocols/smpc/head-product.test.ts
 */
import { ring } from "../../../shares/ring.ts";
import { multiplyMatrices, wholeBlock, type WordBlock } from "../../../shares/secret-product.ts";
import type { Words } from "../../../shares/words.ts";
import type { PartyWire } from "../plan/gate.ts";

/** A matrix inside an array: element (i, j) is words[offset + i * rowStride + j * columnStride]. */
export type Block = WordBlock;

export interface ProductShape {
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
}

/**
 * The sum of a b over the pairs [a, b] of blocks [rows, inner] and [inner, columns], in a fresh array [rows * columns]; right mod
 * 2^bits, garbage above. Up to 32 bits it is four times as fast.
 */
export function sumOfProducts(pairs: readonly (readonly [Block, Block])[], shape: ProductShape, bits: number): Words {
  const words: Words = new BigUint64Array(shape.rows * shape.columns);
  const out = wholeBlock(words, shape.columns);
  for (const [a, b] of pairs) multiplyMatrices({ a, b, out, ...shape, bits, accumulate: 1 });
  return words;
}

/**
 * A party's part of the product (X - r)(Y - s) of two wires, apart from [r s]: the pairs of words whose products add up to it,
 * X (Y - s) and -r Y, with the public X Y at party 0 only.
 */
export function productPairs(x: PartyWire, y: PartyWire, party: number): readonly (readonly [Words, Words])[] {
  const minusMask: Words = new BigUint64Array(x.mask.length);
  ring.scale(minusMask, x.mask, -1n, 0n);
  const rest: Words = new BigUint64Array(y.mask.length);
  if (party === 0) ring.subtract(rest, y.masked, y.mask);
  else ring.scale(rest, y.mask, -1n, 0n);
  return [
    [x.masked, rest],
    [minusMask, y.masked],
  ];
}
