/** Intervals, scores and the noise control of the attack lab behave as stated. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { noiseView } from "../../../experiments/lab/noise-view.ts";
import { bootstrapInterval, seededChance } from "../../../experiments/lab/statistics/bootstrap.ts";
import { score } from "../../../experiments/lab/score.ts";
import { verdictOf } from "../../../experiments/attacks/run/run-cell.ts";
import { RecordedView, type ViewTensor } from "../../../experiments/lab/views/recorded-view.ts";

const recovery = (guesses: Record<number, number[]>, certified: number[] = []) => ({
  guesses: new Map(Object.entries(guesses).map(([position, ids]) => [Number(position), ids])),
  certified: new Set(certified),
  forwardPasses: 0,
  figures: {},
});

describe("bootstrap", () => {
  it("holds the mean, narrows with prompts, repeats by seed", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 40 }), (values) => {
        const { mean, low, high, n } = bootstrapInterval(values, 1);
        assert.equal(n, values.length);
        assert.ok(low <= mean + 1e-9 && mean <= high + 1e-9);
        assert.deepEqual(bootstrapInterval(values, 1), { mean, low, high, n });
      }),
      { numRuns: 30 },
    );
    const coin = (n: number): number[] => Array.from({ length: n }, (_, i) => i % 2);
    const width = (n: number): number => bootstrapInterval(coin(n), 3).high - bootstrapInterval(coin(n), 3).low;
    assert.ok(width(200) < width(20) / 2);
    assert.ok(Number.isNaN(bootstrapInterval([], 0).mean));
  });

  it("covers the true mean about 95 times in 100", () => {
    const chance = seededChance("coverage");
    let covered = 0;
    for (let run = 0; run < 200; run++) {
      const { low, high } = bootstrapInterval(
        Array.from({ length: 40 }, () => (chance() < 0.3 ? 1 : 0)),
        run,
      );
      if (low <= 0.3 && 0.3 <= high) covered++;
    }
    assert.ok(covered >= 175 && covered <= 200, `covered ${covered} of 200`);
  });
});

describe("score", () => {
  const ids = [10, 11, 12, 13];
  const seen = { positions: new Set([0, 2]), ids: new Map([[0, 10]]) };

  it("counts hidden tokens apart from those that were seen or given", () => {
    const scores = score(ids, seen, recovery({ 1: [11], 2: [99, 12], 3: [98, 13] }, [1, 3]));
    assert.equal(scores.hiddenAccuracy, 0.5);
    assert.equal(scores.hiddenTop5, 1);
    assert.equal(scores.ownAccuracy, 0.5);
    assert.equal(scores.wholeAccuracy, 0.5);
    assert.equal(scores.exact, 0);
    assert.equal(scores.certifiedWrong, 1);
    assert.equal(scores.hiddenRougeL, 0.5);
  });

  it("is whole for the right guesses, and null where nothing is hidden", () => {
    const all = recovery({ 1: [11], 2: [12], 3: [13] });
    assert.equal(score(ids, seen, all).exact, 1);
    const open = score(ids, { positions: new Set([0, 1, 2, 3]), ids: new Map() }, recovery({}));
    assert.equal(open.hiddenAccuracy, null);
    assert.equal(open.wholeAccuracy, 0);
  });
});

describe("verdict", () => {
  const rule = { metric: "hiddenAccuracy", breaks: 0.9, minimumDetectableEffect: 0.1 } as const;
  const leak = (low: number, high: number) => ({ mean: (low + high) / 2, low, high, n: 10 });

  it("follows the interval of attack less prior", () => {
    assert.equal(verdictOf(0.95, leak(0.5, 0.7), rule), "breaks");
    assert.equal(verdictOf(0.95, leak(-0.01, 0.01), rule), "no leak found");
    assert.equal(verdictOf(0.4, leak(0.01, 0.2), rule), "leaks");
    assert.equal(verdictOf(0.4, leak(-0.02, 0.05), rule), "no leak found");
    assert.equal(verdictOf(0.4, leak(-0.2, 0.3), rule), "undecided");
  });
});

describe("the noise control", () => {
  it("keeps sizes, ids and infinities, and nothing of the values", () => {
    const tensor = (kind: string, data: ViewTensor["data"]): ViewTensor => ({
      tensor: kind,
      source: "received",
      peer: "x",
      kind,
      session: 1,
      layer: 0,
      step: 0,
      positions: [0],
      shape: [1, data.length],
      party: "comp.0",
      data,
    });
    const rows = Float32Array.from({ length: 4000 }, (_, i) => (i % 2 === 0 ? 5 : -3));
    const partial = Float32Array.of(1, -Infinity, 2);
    const view = new RecordedView(
      ["comp.0"],
      [
        tensor("row", rows),
        tensor("partial", partial),
        tensor("ids", Int32Array.of(42)),
        tensor("shares", new Uint8Array(64)),
      ],
    );
    const [row, part, given, shares] = noiseView(view, 1).tensors.map(({ data }) => data as Float32Array);
    assert.equal(part[1], -Infinity);
    assert.equal(given[0], 42);
    assert.ok(new Set(shares).size > 20);
    const correlation = rows.reduce((sum, x, i) => sum + (x - 1) * (row[i] - 1), 0) / rows.length / 16;
    assert.ok(Math.abs(correlation) < 0.1, `correlation ${correlation}`);
    assert.ok(Math.abs(row.reduce((a, b) => a + b, 0) / row.length - 1) < 0.3);
    assert.deepEqual(noiseView(view, 1).tensors, noiseView(view, 1).tensors);
  });
});
