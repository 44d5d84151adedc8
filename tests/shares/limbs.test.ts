import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Generator } from "../../shares/generator.ts";
import { TILE_WORDS } from "../../shares/kernel-memory.ts";
import { joinLimbs, limbsFor, splitLimbs } from "../../shares/limbs.ts";
import { lowBits } from "../../shares/words.ts";

const word = fc.oneof(
  fc.bigInt({ min: 0n, max: lowBits(64) }),
  fc.integer({ min: 0, max: 64 }).map((bits) => lowBits(bits)),
  fc.integer({ min: 0, max: 63 }).map((bits) => 1n << BigInt(bits)),
);

describe("limbs", () => {
  it("are balanced and add up to the word mod 2^ringBits, for any block of columns", () => {
    fc.assert(
      fc.property(
        fc.array(word, { minLength: 12, maxLength: 12 }),
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 21, max: 52 }),
        fc.constantFrom({ from: 0, width: 4 }, { from: 1, width: 2 }, { from: 3, width: 1 }),
        (words, ringBits, sumBits, block) => {
          const cut = limbsFor(ringBits, 2 ** sumBits);
          const { limbBits, limbs } = cut;
          const pieces = new Float64Array(limbs * 3 * block.width);
          splitLimbs(pieces, BigUint64Array.from(words), 4, block, ringBits, cut);
          for (let row = 0; row < 3; row++)
            for (let j = 0; j < block.width; j++) {
              let sum = 0n;
              for (let limb = 0; limb < limbs; limb++) {
                const piece = pieces[(limb * 3 + row) * block.width + j];
                assert.ok(piece >= -(2 ** (limbBits - 1)) && piece < 2 ** (limbBits - 1));
                sum += BigInt(piece) << BigInt(limb * limbBits);
              }
              assert.equal((sum - words[row * 4 + block.from + j]) & lowBits(ringBits), 0n);
            }
        },
      ),
    );
  });

  it("come back to the words, for rows and blocks longer than a tile of the kernels", () => {
    const [rows, columns, ringBits] = [2, TILE_WORDS + 1000, 50];
    const x = new BigUint64Array(rows * columns);
    new Generator("limbs", "words").fillWords(x, 64);
    const cut = limbsFor(ringBits, 2 ** 20);
    for (const { from, width } of [
      { from: 0, width: columns },
      { from: 7, width: TILE_WORDS + 1 },
      { from: 1, width: TILE_WORDS },
    ]) {
      const pieces = new Float64Array(cut.limbs * rows * width);
      splitLimbs(pieces, x, columns, { from, width }, ringBits, cut);
      const joined = new BigUint64Array(rows * width);
      joinLimbs(joined, pieces, cut);
      const expected = Array.from({ length: rows }, (_, row) => [
        ...x.subarray(row * columns + from, row * columns + from + width),
      ]).flat();
      assert.deepEqual(
        [...joined].map((each) => each & lowBits(ringBits)),
        expected.map((each) => each & lowBits(ringBits)),
      );
    }
  });

  it("are as few as the sums of factors allow", () => {
    assert.deepEqual(limbsFor(52, 2 ** 28), { limbBits: 26, limbs: 2 });
    assert.deepEqual(limbsFor(53, 2 ** 28), { limbBits: 18, limbs: 3 });
    assert.deepEqual(limbsFor(52, 2 ** 28 + 1), { limbBits: 18, limbs: 3 });
    assert.deepEqual(limbsFor(64, 1), { limbBits: 32, limbs: 2 });
    assert.deepEqual(limbsFor(64, 0), { limbBits: 32, limbs: 2 });
    assert.deepEqual(limbsFor(3, 2 ** 53), { limbBits: 1, limbs: 3 });
    assert.throws(() => limbsFor(3, 2 ** 53 + 2), /expected factors that add up to at most 2\^53/);
  });

  it("joins exact sums of either sign to what is in out", () => {
    const sum = fc.maxSafeInteger();
    fc.assert(
      fc.property(
        fc.array(fc.tuple(word, sum, sum, sum), { maxLength: 20 }),
        fc.integer({ min: 1, max: 31 }),
        (rows, limbBits) => {
          const out = BigUint64Array.from(rows, ([start]) => start);
          const sums = Float64Array.from([1, 2, 3].flatMap((limb) => rows.map((row) => Number(row[limb]))));
          joinLimbs(out, sums, { limbBits, limbs: 3 });
          assert.deepEqual(
            [...out],
            rows.map(([start, a, b, c]) => {
              const [middle, top] = [BigInt(limbBits), BigInt(2 * limbBits)];
              return BigInt.asUintN(64, start + BigInt(a) + (BigInt(b) << middle) + (BigInt(c) << top));
            }),
          );
        },
      ),
    );
  });
});
