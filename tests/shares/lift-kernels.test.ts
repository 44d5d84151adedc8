import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Generator } from "../../shares/generator.ts";
import { TILE_WORDS } from "../../shares/kernel-memory.ts";
import { centreWords, liftWords } from "../../shares/lift-kernels.ts";
import type { Words } from "../../shares/words.ts";

const wordsOf = (bits: number) => fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n });
const mod64 = (value: bigint): bigint => BigInt.asUintN(64, value);

describe("lift kernels", () => {
  it("centre a public word and read its top bit, as defined", () => {
    const cases = fc
      .integer({ min: 2, max: 64 })
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
      bits: fc.integer({ min: 2, max: 64 }),
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

  it("give the same words for many as for few at a time", () => {
    const [length, bits] = [2 * TILE_WORDS + 3, 19];
    const random = new Generator("lift", "words");
    const [masked, r, c, m] = [bits, 64, 45, 45].map((width) => {
      const words = new BigUint64Array(length);
      random.fillWords(words, width);
      return words;
    });
    const pieces = (size: number): Words[] => {
      const [centred, low, out] = [1, 2, 3].map(() => new BigUint64Array(length));
      for (let from = 0; from < length; from += size) {
        const cut = (words: Words): Words => words.subarray(from, from + size);
        centreWords(cut(centred), cut(low), cut(masked), bits);
        liftWords(cut(out), cut(r), bits, cut(low), cut(c), cut(m));
      }
      return [centred, low, out];
    };
    assert.deepEqual(pieces(length), pieces(7));
  });

  it("refuse wires of other widths", () => {
    const one = (): Words => new BigUint64Array(1);
    for (const bits of [1, 65]) {
      assert.throws(() => centreWords(one(), one(), one(), bits), /lift kernel: expected 2 to 64 bits, got/);
      assert.throws(
        () => liftWords(one(), one(), bits, one(), one(), one()),
        /lift kernel: expected 2 to 64 bits, got/,
      );
    }
  });
});
