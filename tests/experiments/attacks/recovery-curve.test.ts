import assert from "node:assert/strict";
import test from "node:test";
import { extrapolate, recoveryCurve, type ScoredSearch } from "../../../experiments/attacks/studies/recovery-curve.ts";

const BUDGET = 1000;

/** A search that would find the truth after so many passes, cut off at the budget. */
function searchOf(passes: number): ScoredSearch {
  const truth = [3, 5];
  const half = { tokens: [3, 0], distance: 1, passes: 1 };
  const found = { tokens: truth, distance: 0, passes };
  const trail = passes <= BUDGET ? [half, found] : [half];
  const best = trail[trail.length - 1];
  const answer = { best, ranked: [best], certified: best === found, passes: Math.min(passes, BUDGET), trail };
  return { truth, answer, budget: BUDGET };
}

test("a curve says what was found when so many passes were spent, and nothing beyond the budget", () => {
  const searches = [20, 200, 2000, 20_000].map(searchOf);
  const curve = recoveryCurve(searches, [10, 100, 1000, 10_000], 1);
  assert.deepEqual(
    curve.map(({ passes, exact, missing, own }) => [passes, exact.mean, missing?.mean, own.mean]),
    [
      [10, 0, 1, 0],
      [100, 0.25, 1, 0.25],
      [1000, 0.5, 1, 0.5],
    ],
  );
});

test("the law of passes is told from searches of which half were cut off", () => {
  // Quantiles of a log-normal law with median 10^3 and a spread of one decade: half lie beyond the budget.
  const quantiles = [-1.645, -1.282, -1.036, -0.842, -0.674, -0.524, -0.385, -0.253, -0.126, 0.0];
  const all = [...quantiles, ...quantiles.map((z) => -z + 0.01)];
  const searches = [...all, ...all].map((z) => searchOf(Math.round(10 ** (3 + z))));
  const [half, most] = extrapolate(searches, 1)!;
  assert.ok(Math.abs(half.log10Passes - 3) < 0.15, `expected 3, got ${half.log10Passes}`);
  assert.ok(Math.abs(most.log10Passes - 4.28) < 0.4, `expected 4.28, got ${most.log10Passes}`);
  assert.ok(half.low <= half.log10Passes && half.log10Passes <= half.high && half.high - half.low < 1.5);
});

test("no law is told from two solved searches", () => {
  assert.equal(extrapolate([20, 200, 2000, 2000].map(searchOf), 1), null);
});
