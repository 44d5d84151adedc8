import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { interleave, logProbabilities, orderByLogits } from "../../../experiments/attacks/matching/proposals.ts";

test("ids are ordered by descending logit, equal ones by id", () => {
  fc.assert(
    fc.property(fc.array(fc.float({ noNaN: true }), { minLength: 1, maxLength: 60 }), (logits) => {
      const expected = [...logits.keys()].sort((a, b) => Math.sign(logits[b] - logits[a]) || a - b);
      // -0 and 0 are one logit but two words.
      const zeroless = logits.map((logit) => (logit === 0 ? 0 : logit));
      assert.deepEqual([...orderByLogits(zeroless)], expected);
    }),
  );
  assert.throws(() => orderByLogits(new Float32Array(2 ** 20 + 1)), /order: expected at most 1048576 logits/);
});

test("log probabilities sum to one and orders interleave without repeating", () => {
  const total = logProbabilities([1, 2, 300]).reduce((sum, value) => sum + Math.exp(value), 0);
  assert.ok(Math.abs(total - 1) < 1e-12);
  assert.deepEqual([...interleave([3, 1], [3, 2, 4])], [3, 1, 2, 4]);
});
