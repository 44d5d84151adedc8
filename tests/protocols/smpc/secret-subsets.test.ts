import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { SecretSubsets } from "../../../protocols/smpc/check/secret-subsets.ts";
import { answerWindow, FALSE_ALARM } from "../../../protocols/smpc/check/answer-window.ts";
import { Generator } from "../../../shares/generator.ts";

/** The vectors [columns] of bits as the stream has them. */
function drawn(columns: number, vectors: number, seed: string): number[][] {
  const words = new BigUint64Array(columns);
  new Generator(seed, "vectors").fillWords(words, vectors);
  return Array.from({ length: vectors }, (_, v) => Array.from(words, (word) => Number((word >> BigInt(v)) & 1n)));
}

describe("secret subsets", () => {
  it("sum what their vectors choose, and all, of integers and of reals", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { minLength: 1, maxLength: 200 }),
        fc.integer({ min: 1, max: 21 }),
        fc.string(),
        (row, vectors, seed) => {
          const subsets = SecretSubsets.draw(row.length, vectors, new Generator(seed, "vectors"));
          const all = [...drawn(row.length, vectors, seed), row.map(() => 1)];
          const expected = all.map((vector) => row.reduce((sum, value, j) => sum + value * vector[j], 0));
          for (const given of [Int32Array.from(row), Float64Array.from(row)]) {
            const out = new Float64Array(vectors + 1);
            subsets.sums(given, out);
            assert.deepEqual([...out], expected);
          }
          assert.deepEqual([...subsets.indicators], all.flat());
          assert.deepEqual(
            [...subsets.sizes],
            all.map((vector) => vector.reduce((sum, bit) => sum + bit, 0)),
          );
        },
      ),
    );
  });
});

/** Probability that of `count` fair coins more than `off` above or below half are heads, summed in logarithms. */
function tail(count: number, off: number): number {
  let sum = 0;
  let logChoose = -count * Math.log(2);
  for (let heads = 0; heads <= count; heads++) {
    if (Math.abs(heads - count / 2) > off) sum += Math.exp(logChoose);
    logChoose += Math.log(count - heads) - Math.log(heads + 1);
  }
  return sum;
}

describe("the window of a check", () => {
  it("holds the worst remainders but for 1e-12, and is not much wider than they need", () => {
    // All remainders at one end: half a unit times the heads above half.
    for (const outputs of [1, 2, 10, 55, 56, 64, 100, 576, 3072, 6144])
      for (const vectors of [1, 20]) {
        const droppedBits = 17;
        const off = (share: number): number => (share * answerWindow(outputs, vectors, droppedBits)) / 2 ** 16;
        assert.ok(vectors * tail(outputs, off(1)) <= FALSE_ALARM, `${outputs}: ${tail(outputs, off(1))}`);
        if (outputs >= 100) assert.ok(vectors * tail(outputs, off(0.9)) > FALSE_ALARM, `${outputs} narrower`);
      }
    assert.equal(answerWindow(100, 20, 0), 0);
  });
});
