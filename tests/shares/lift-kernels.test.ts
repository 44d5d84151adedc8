import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { centreWords, liftWords } from "../../shares/lift-kernels.ts";

const wordsOf = (bits: number) => fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n });
const mod64 = (value: bigint): bigint => BigInt.asUintN(64, value);

describe("lift kernels", () => {
  it("centre a public word and read its top bit, as defined", () => {
    const cases = fc
      .integer({ min: 2, max: 31 })
      .chain((bits) => fc.record({ bits: fc.constant(bits), x: fc.array(wordsOf(bits)) }));
    fc.assert(
      fc.property(cases, ({ bits, x }) => {
        const [centred, low] = [new BigUint64Array(x.length), new BigUint64Array(x.length)];
        centreWords(centred, low, BigUint64Array.from(x), bits);
        const quarter = 1n << BigInt(bits - 2);
        x.forEach((word, i) => {
          const shifted = BigInt.asUintN(bits, word + quarter);
          assert.equal(centred[i], mod64(shifted - quarter));
          assert.equal(low[i], shifted < 2n * quarter ? 1n : 0n);
        });
      }),
    );
  });

  it("lift a share of a mask, as defined, in place too", () => {
    const cases = fc.record({
      bits: fc.integer({ min: 2, max: 31 }),
      words: fc.array(fc.tuple(wordsOf(64), fc.constantFrom(0n, 1n), wordsOf(64), wordsOf(64))),
    });
    fc.assert(
      fc.property(cases, ({ bits, words }) => {
        const column = (j: number) => BigUint64Array.from(words, (row) => row[j]);
        const out = column(0);
        liftWords(out, out, bits, column(1), column(2), column(3));
        words.forEach(([r, u, c, m], i) => assert.equal(out[i], mod64(r + ((c - u * m) << BigInt(bits)))));
      }),
    );
  });

  it("refuse wires of other widths", () => {
    const one = (): BigUint64Array => new BigUint64Array(1);
    for (const bits of [1, 32]) {
      assert.throws(() => centreWords(one(), one(), one(), bits), /lift kernel: expected 2 to 31 bits, got/);
      assert.throws(
        () => liftWords(one(), one(), bits, one(), one(), one()),
        /lift kernel: expected 2 to 31 bits, got/,
      );
    }
  });
});
