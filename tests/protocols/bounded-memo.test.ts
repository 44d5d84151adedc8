import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { BoundedMemo } from "../../protocols/bounded-memo.ts";

describe("a bounded memo", () => {
  it("gives what is made for a key, and keeps the latest used within its bound", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 12 })), fc.integer({ min: 1, max: 40 }), (asked, most) => {
        // A key weighs what it says; the model keeps those used last.
        const memo = new BoundedMemo<number>(most, (value) => value);
        let model: number[] = [];
        for (const weight of asked) {
          const key = String(weight);
          assert.equal(memo.has(key), model.includes(weight));
          let made = 0;
          const value = memo.get(key, () => {
            made++;
            return weight;
          });
          assert.equal(value, weight);
          assert.equal(made, model.includes(weight) ? 0 : 1);
          model = [...model.filter((each) => each !== weight), weight];
          const sum = (): number => model.reduce((a, b) => a + b, 0);
          while (model.length > 1 && sum() > most) model.shift();
          assert.equal(memo.weight, sum());
        }
      }),
    );
  });

  it("counts, where nothing is weighed", () => {
    const memo = new BoundedMemo<string>(2);
    for (const key of ["a", "b", "a", "c"]) memo.get(key, () => key);
    assert.deepEqual(
      ["a", "b", "c"].map((key) => memo.has(key)),
      [true, false, true],
    );
    assert.equal(memo.weight, 2);
  });
});
