import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { sumOfProducts } from "../../../protocols/smpc/product/head-product.ts";

/** Words of 64 bits, edges of limbs and halves often. */
const anyWord = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(0n, 2n ** 64n - 1n, 2n ** 63n, 2n ** 21n, 2n ** 22n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 43n),
);

/** A matrix [rows, columns] row-major in an array that starts `offset` words earlier and has rows of `stride`. */
const placed = (words: readonly bigint[], columns: number, offset: number, stride: number) => {
  const rows = words.length / columns;
  const out = new BigUint64Array(offset + rows * stride).fill(0xdeadbeefdeadbeefn);
  words.forEach((word, i) => (out[offset + Math.floor(i / columns) * stride + (i % columns)] = word));
  return { words: out, offset, rowStride: stride, columnStride: 1 };
};

describe("products of a head", () => {
  it("add up pairs of blocks mod 2^bits, for every width of ring", () => {
    const cases = fc
      .record({
        rows: fc.integer({ min: 1, max: 5 }),
        inner: fc.constantFrom(1, 2, 7),
        columns: fc.integer({ min: 1, max: 6 }),
        bits: fc.integer({ min: 1, max: 64 }),
        count: fc.constantFrom(1, 2),
      })
      .chain((sizes) => {
        const matrix = (length: number) => fc.array(anyWord, { minLength: length, maxLength: length });
        const { rows, inner, columns, count } = sizes;
        const pair = fc.tuple(matrix(rows * inner), matrix(inner * columns));
        return fc.record({ sizes: fc.constant(sizes), pairs: fc.array(pair, { minLength: count, maxLength: count }) });
      });
    fc.assert(
      fc.property(cases, ({ sizes: { rows, inner, columns, bits }, pairs }) => {
        const blocks = pairs.map(
          ([a, b]) => [placed(a, inner, 3, inner + 2), placed(b, columns, 1, columns + 1)] as const,
        );
        const out = sumOfProducts(blocks, { rows, inner, columns }, bits);
        assert.equal(out.length, rows * columns);
        out.forEach((word, at) => {
          const [i, j] = [Math.floor(at / columns), at % columns];
          let sum = 0n;
          for (const [a, b] of pairs) for (let t = 0; t < inner; t++) sum += a[i * inner + t] * b[t * columns + j];
          assert.equal(BigInt.asUintN(bits, word), BigInt.asUintN(bits, sum));
        });
      }),
    );
  });

  it("stay exact over a long inner dimension of the largest limbs", () => {
    const inner = 1300;
    const largest = Array.from({ length: inner }, () => 2n ** 63n + 2n ** 43n + 2n ** 21n);
    for (const bits of [26, 32, 33, 44, 45, 64]) {
      const blocks = [placed(largest, inner, 0, inner), placed(largest, 1, 0, 1)] as const;
      const [word] = sumOfProducts([blocks], { rows: 1, inner, columns: 1 }, bits);
      assert.equal(BigInt.asUintN(bits, word), BigInt.asUintN(bits, BigInt(inner) * largest[0] ** 2n));
    }
  });
});
