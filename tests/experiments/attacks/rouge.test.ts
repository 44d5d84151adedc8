import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { rougeL } from "../../../experiments/lab/statistics/rouge.ts";

interface Golden {
  readonly version: string;
  readonly cases: readonly {
    readonly reference: string[];
    readonly candidate: string[];
    readonly fmeasure: number;
  }[];
}

const golden = JSON.parse(readFileSync(new URL("../../fixtures/rouge/golden.json", import.meta.url), "utf8")) as Golden;
const tokens = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 40 });

describe("ROUGE-L on token lists", () => {
  it(`equals the values of ${golden.version}`, () => {
    assert.ok(golden.cases.length >= 19);
    for (const { reference, candidate, fmeasure } of golden.cases)
      assert.ok(
        Math.abs(rougeL(reference, candidate) - fmeasure) < 1e-12,
        `${reference.join(" ")} | ${candidate.join(" ")}: expected ${fmeasure}, got ${rougeL(reference, candidate)}`,
      );
  });

  it("takes tokens with spaces and stops as one token each, and keeps a number apart from its digits", () => {
    assert.equal(rougeL([" the", ". A", "x"], [" the", ". A", "x"]), 1);
    assert.equal(rougeL([" the"], ["the"]), 0);
    assert.equal(rougeL([1], ["1"]), 0);
    assert.equal(rougeL([17, 3], [3]), 2 / 3);
  });

  it("is 1 for equal lists, the same both ways round, and at most 1", () => {
    fc.assert(
      fc.property(tokens, tokens, (a, b) => {
        assert.equal(rougeL(a, a), 1);
        assert.ok(Math.abs(rougeL(a, b) - rougeL(b, a)) < 1e-12);
        assert.ok(rougeL(a, b) >= 0 && rougeL(a, b) <= 1);
      }),
    );
  });
});
