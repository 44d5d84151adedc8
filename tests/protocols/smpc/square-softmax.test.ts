import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AttentionSpec } from "../../../layers/program.ts";
import type { Plan } from "../../../protocols/smpc/plan/instruction.ts";
import { DEFAULT_PRECISION, FINE_PRECISION, type Precision } from "../../../protocols/smpc/lowering/precision.ts";
import type { SiteRange } from "../../../protocols/smpc/lowering/ranges.ts";
import { planCost } from "../../../protocols/smpc/plan/plan-cost.ts";
import { ModelFactors } from "../../../protocols/smpc/factors/public-factors.ts";
import { Simulation } from "../../../protocols/smpc/run/simulation.ts";
import { Generator } from "../../../shares/generator.ts";
import { attentionPlan, exactWeights, type AttentionRun } from "./attention-plan.ts";
import { tinyLayer } from "./tiny-plan.ts";

const ROWS = 16;
const HEADS = 2;
const HEAD_DIM = 16;

/** Rows whose logits reach about +-`reach`; values are the unit vectors, so that what comes out are the weights. */
function inputs(
  { heads, kvHeads }: AttentionSpec,
  reach: number,
  seed: string,
): { q: Float64Array; k: Float64Array; v: Float64Array } {
  const generator = new Generator(seed, "rows");
  const even = (largest: number): number => (generator.nextUnit() * 2 - 1) * largest;
  const k = Float64Array.from({ length: ROWS * kvHeads * HEAD_DIM }, () => even(1.5));
  const q = Float64Array.from({ length: ROWS * heads * HEAD_DIM }, () => even(reach / 8));
  const v = new Float64Array(k.length);
  for (let row = 0; row < ROWS; row++)
    for (let head = 0; head < kvHeads; head++) v[(row * kvHeads + head) * HEAD_DIM + row] = 1;
  return { q, k, v };
}

const spec: AttentionSpec = {
  heads: HEADS,
  kvHeads: HEADS,
  headDim: HEAD_DIM,
  causal: true,
  window: null,
  scale: 1,
  softCap: null,
};

/** Everything but the softmax is much more exact than a weight, and q, k, v are opened as they come. */
const EXACT = {
  ...DEFAULT_PRECISION,
  queryFracBits: 16,
  keyFracBits: 16,
  logitFracBits: 13,
  valueFracBits: 16,
  attendedFracBits: 16,
};

const logitRange = (reach: number): SiteRange => ({
  range: "certified",
  maxAbs: reach,
  low: -2 * reach,
  high: 2 * reach,
  spread: 2 * reach,
  diagonalLow: -2 * reach,
  diagonalHigh: 2 * reach,
});

const squaringsOf = ({ instructions }: Plan): number =>
  instructions.filter((each) => each.gate === "square-scale" && each.layout.window !== 1).length;

interface Measured {
  readonly plan: Plan;
  /** Errors of a weight, in units of the wire that weights are opened in. */
  readonly worstUnits: number;
  readonly rmsUnits: number;
  readonly largestLogit: number;
  readonly failedChecks: number;
}

async function measured(run: AttentionRun, reach: number, parties: number): Promise<Measured> {
  const { q, k, v } = inputs(run.spec, reach, `${reach}`);
  const plan = attentionPlan(run);
  const simulation = new Simulation(parties, new ModelFactors(() => assert.fail("no parameters")));
  const { outputs, counts } = await simulation.run(plan, { q, k, v });
  const { onlineBytes, dealtBytes } = planCost(plan, parties);
  assert.deepEqual(counts, { onlineBytes, dealtBytes, rounds: plan.rounds });
  let failedChecks = 0;
  for (const { output, expected, tolerance } of plan.checks)
    for (const value of outputs[output]) if (Math.abs(value - expected) > tolerance) failedChecks++;
  const exact = exactWeights(run, q, k);
  let [worst, squares, largestLogit] = [0, 0, 0];
  for (const { head, query, key, weight, logit } of exact) {
    const error = outputs.rows[(query * run.spec.heads + head) * HEAD_DIM + key] - weight;
    worst = Math.max(worst, Math.abs(error));
    squares += error ** 2;
    largestLogit = Math.max(largestLogit, Math.abs(logit));
  }
  const unit = 2 ** -run.precision.weightFracBits;
  const rmsUnits = Math.sqrt(squares / exact.length) / unit;
  return { plan, worstUnits: worst / unit, rmsUnits, largestLogit, failedChecks };
}

const attended: SiteRange = { range: "certified", maxAbs: 1 };
const common = { spec, rows: ROWS, past: 0, sequenceLimit: ROWS };
const squared = (count: number | null): Precision => ({ ...EXACT, softmax: "square", squarings: count });

describe("softmax by squares", () => {
  for (const count of [1, 3, 6])
    for (const reach of [1, 10, 100])
      it(`${count} squarings give the weights of logits to +-${reach} as exactly as a weight is opened`, async () => {
        const run = { ...common, precision: squared(count), ranges: { logits: logitRange(reach), attended } };
        const { plan, worstUnits, rmsUnits, largestLogit, failedChecks } = await measured(run, reach, 2);
        assert.equal(squaringsOf(plan), count);
        assert.ok(largestLogit > reach / 2 && largestLogit <= reach, `largest logit ${largestLogit}`);
        // A shift is off by 0.41 units, root mean square, and by one at most.
        assert.ok(worstUnits <= 3, `largest error: ${worstUnits} units`);
        assert.ok(rmsUnits <= 0.7, `root mean square error: ${rmsUnits} units`);
        assert.equal(failedChecks, 0);
      });

  for (const [name, shape, parties] of [
    ["two of four heads share their keys, 3 parties", { heads: 4, causal: true, window: null }, 3],
    ["windows, 4 parties", { heads: 2, causal: true, window: 5 }, 4],
    ["every row sees all, 2 parties", { heads: 2, causal: false, window: null }, 2],
  ] as const)
    it(name, async () => {
      const run = {
        ...common,
        spec: { ...spec, ...shape },
        precision: squared(null),
        ranges: { logits: logitRange(100), attended },
      };
      const { plan, worstUnits, failedChecks } = await measured(run, 100, parties);
      assert.ok(squaringsOf(plan) > 0);
      // Shifts are off by up to half a unit a party.
      assert.ok(worstUnits <= 4, `largest error: ${worstUnits} units`);
      assert.equal(failedChecks, 0);
    });

  it("is exact with sums of squares for 256 keys", async () => {
    const ranges = { logits: logitRange(10), attended };
    const run = { ...common, sequenceLimit: 256, precision: squared(2), ranges };
    const { worstUnits, failedChecks } = await measured(run, 10, 2);
    assert.ok(worstUnits <= 3, `largest error: ${worstUnits} units`);
    assert.equal(failedChecks, 0);
  });

  it("is what the ladder falls back to where its exponentials don't fit", async () => {
    const plans = [60, 600].map((reach) =>
      attentionPlan({ ...common, precision: DEFAULT_PRECISION, ranges: { logits: logitRange(reach), attended } }),
    );
    assert.deepEqual(
      plans.map((plan) => squaringsOf(plan) > 0),
      [false, true],
    );
  });

  it("fails a check where a row's logits left their range", async () => {
    const run = { ...common, precision: squared(3), ranges: { logits: logitRange(20), attended } };
    const { failedChecks } = await measured(run, 100, 2);
    assert.ok(failedChecks > 0);
  });

  it("refuses weights that a squaring would leave too few bits of", () => {
    const run = { ...common, precision: squared(2), ranges: { logits: logitRange(20), attended } };
    assert.throws(
      () => attentionPlan({ ...run, ranges: { ...run.ranges, attended: { ...attended, maxAbs: 2 ** 16 } } }),
      /expected weights of at least \d+ fractional bits in front of a squaring, got \d+/,
    );
  });
});

describe("a tiny layer by squares", () => {
  for (const kind of ["llama", "gpt2"] as const)
    it(`${kind}: gives what the ladder gives, for prompts and steps, n = 2, 3`, async () => {
      const layer = tinyLayer(kind, "square test");
      for (const parties of [2, 3]) {
        const [ladder, squares] = [new Simulation(parties, layer.factors), new Simulation(parties, layer.factors)];
        for (const [rows, past] of [
          [5, 0],
          [1, 5],
          [2, 6],
        ]) {
          const x = layer.rows(rows, `${past}`);
          const expected = await ladder.run(layer.plan(rows, past, FINE_PRECISION), { x });
          const plan = layer.plan(rows, past, { ...FINE_PRECISION, softmax: "square", squarings: 2 });
          assert.equal(squaringsOf(plan), 2);
          const { outputs, counts } = await squares.run(plan, { x });
          outputs.rows.forEach((value, at) => {
            const error = Math.abs(value - expected.outputs.rows[at]);
            assert.ok(error <= 1e-2, `row ${past}, element ${at}: off by ${error}`);
          });
          const { onlineBytes, dealtBytes } = planCost(plan, parties);
          assert.deepEqual(counts, { onlineBytes, dealtBytes, rounds: plan.rounds });
        }
      }
    });
});
