/** The comparisons of the accuracy experiment, and a covering subset of the golden models through real sessions. */
import assert from "node:assert/strict";
import path from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { accuracyTexts } from "../../experiments/accuracy/accuracy-texts.ts";
import { distributionDifference } from "../../experiments/accuracy/distribution-difference.ts";
import { greedyDifference } from "../../experiments/accuracy/greedy-difference.ts";
import { HybridParties } from "../../experiments/accuracy/hybrid-parties.ts";
import { PlainReadings } from "../../experiments/accuracy/plain-readings.ts";
import { rowErrors } from "../../experiments/accuracy/row-errors.ts";
import { runConfig } from "../../protocols/fusion/config/run-config.ts";
import { MODELS_FOLDER } from "../layers/golden-models.ts";

describe("differences of distributions", () => {
  it("are the sum of p log(p / q), whatever is added to all logits of a row", () => {
    const logits = fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(logits, logits, fc.double({ min: -50, max: 50, noNaN: true }), (a, b, shift) => {
        const softmax = (x: readonly number[]): number[] => {
          const total = x.reduce((sum, value) => sum + Math.exp(value), 0);
          return x.map((value) => Math.exp(value) / total);
        };
        const [p, q] = [softmax(a), softmax(b)];
        const expected = p.reduce((sum, value, at) => sum + value * Math.log(value / q[at]), 0);
        const shifted = b.map((value) => value + shift);
        const { meanKl, maxKl } = distributionDifference([...a, ...a], [...a, ...shifted], 2);
        assert.ok(Math.abs(maxKl - Math.max(0, expected)) < 1e-9, `KL: expected ${expected}, got ${maxKl}`);
        assert.ok(Math.abs(2 * meanKl - expected) < 1e-9);
      }),
    );
  });

  it("count most likely tokens that differ, with the margin that they had", () => {
    const { sameTop, marginsOfOthers } = distributionDifference([1, 0.75, 0, 3, 1, 0], [0.7, 0.8, 0, 3, 1, 0], 2);
    assert.equal(sameTop, 1);
    assert.deepEqual(marginsOfOthers, [0.25]);
  });

  it("don't lose NaN", () => {
    assert.ok(Number.isNaN(distributionDifference([1, 2], [NaN, 2], 1).maxKl));
    assert.equal(rowErrors([1, NaN], [1, 2]).max, Infinity);
  });

  it("of continuations end where they part", () => {
    const step = (...values: number[]): Float64Array => Float64Array.from(values);
    const expected = { tokens: [0, 1, 2], logits: [step(3, 1, 0), step(0, 1, 0.75), step(0, 0, 1)] };
    const actual = { tokens: [0, 2, 0], logits: [step(3, 1, 0), step(0, 0.9, 1), step(9, 0, 0)] };
    const { same, identical, margin, maxMarginNoise } = greedyDifference(expected, actual);
    assert.deepEqual([same, identical, margin], [1, false, 0.25]);
    assert.ok(
      Math.abs(maxMarginNoise - 0.35) < 1e-9,
      `noise: expected that of the step they part at, got ${maxMarginNoise}`,
    );
    assert.equal(greedyDifference(expected, expected).identical, true);
    assert.equal(greedyDifference(expected, { tokens: [0, 1], logits: actual.logits }).identical, false);
  });
});

/** Hidden states of all golden models lie within this with all layers under SMPC; docs/figures.md, "Accuracy of the hybrid". */
const GOLDEN_BOUND = 2e-2;

describe("golden models with layers under SMPC", () => {
  const cases = [
    ["gemma2", "0,3=smpc"],
    ["mistral-window", "1=smpc"],
    ["qwen3", "0=smpc"],
    ["llama-rope-llama3", "0-1=smpc"],
    ["llama-gqa", "all=delegated"],
  ] as const;
  for (const [name, placement] of cases)
    it(`${name}, ${placement}: transformers' rows, at the declared cost`, async () => {
      const folder = path.join(MODELS_FOLDER, name);
      const golden = path.join(folder, "golden.safetensors");
      const [text] = await accuracyTexts(folder, { golden, most: 1 });
      const config = runConfig.parse({ model: folder, alpha: 3, place: "memory" });
      const setting = { placement, precision: "fine" } as const;
      const parties = await HybridParties.open(config, [setting], () => {});
      const plain = new PlainReadings(parties.opened.model);
      try {
        const { rows, logits, failedRows, asDeclared } = await parties.allRows(setting, text);
        const expected = await plain.rows(text);
        const { max } = rowErrors(rows.data, expected.rows);
        assert.ok(max < GOLDEN_BOUND && max > 0, `rows: expected within ${GOLDEN_BOUND}, not equal, got ${max}`);
        assert.deepEqual(failedRows, []);
        assert.equal(asDeclared, true);
        const { meanKl } = distributionDifference(expected.logits!, logits!.data, text.ids.length);
        assert.ok(meanKl < 1e-4, `KL: expected within 1e-4, got ${meanKl}`);
      } finally {
        await plain.close();
        await parties.close();
      }
    });
});
