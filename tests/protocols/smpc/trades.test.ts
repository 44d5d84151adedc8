/** Trades of the lowering: the same rows, for other rounds and bytes; and the checks of rows that are normalised late. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AttentionSpec } from "../../../layers/program.ts";
import { DEFAULT_PRECISION, FINE_PRECISION } from "../../../protocols/smpc/lowering/precision.ts";
import { TRADE_NAMES, traded } from "../../../protocols/smpc/lowering/trade.ts";
import { dealtLayout } from "../../../protocols/smpc/plan/dealt-layout.ts";
import type { Plan } from "../../../protocols/smpc/plan/instruction.ts";
import { planCost } from "../../../protocols/smpc/plan/plan-cost.ts";
import { ModelFactors } from "../../../protocols/smpc/factors/public-factors.ts";
import { Simulation } from "../../../protocols/smpc/run/simulation.ts";
import { Generator } from "../../../shares/generator.ts";
import { attentionPlan, exactWeights, type AttentionRun } from "./attention-plan.ts";
import { tinyLayer } from "./tiny-plan.ts";

const ROWS = 8;
/** Between two fixed-point readings of one layer. */
const TOLERANCE = 2e-2;

/** Bytes that are dealt for series of activations: of a layer as wide as real ones, most of all. */
function activationBytes(plan: Plan): number {
  const { places } = dealtLayout(plan);
  return plan.instructions.reduce((sum, one, at) => {
    if (one.gate !== "series" || !one.series.name.endsWith("(x) - x/2")) return sum;
    return [...places[at].values()].reduce((all, { byteLength }) => all + byteLength, sum);
  }, 0);
}

describe("trades", () => {
  for (const kind of ["gpt2", "llama"] as const)
    for (const precision of [DEFAULT_PRECISION, FINE_PRECISION])
      for (const parties of [2, 3])
        it(`give the same rows at other costs, as declared (${kind}, ${precision === FINE_PRECISION ? "fine" : "default"}, ${parties} parties)`, async () => {
          const layer = tinyLayer(kind, "trades");
          const x = layer.rows(ROWS, "x");
          const byTrade = new Map<string, { rows: Float64Array; rounds: number; ofActivations: number }>();
          for (const trade of TRADE_NAMES) {
            const plan = layer.plan(ROWS, 0, traded(precision, trade));
            const { outputs, counts } = await new Simulation(parties, layer.factors).run(plan, { x });
            const { onlineBytes, dealtBytes } = planCost(plan, parties);
            assert.deepEqual(counts, { onlineBytes, dealtBytes, rounds: plan.rounds }, trade);
            for (const { output, expected, tolerance } of plan.checks)
              for (const value of outputs[output])
                assert.ok(Math.abs(value - expected) <= tolerance, `${trade}, ${output}: ${value}`);
            byTrade.set(trade, { rows: outputs.rows, rounds: plan.rounds, ofActivations: activationBytes(plan) });
          }
          const standard = byTrade.get("standard")!;
          for (const [trade, { rows }] of byTrade)
            rows.forEach((value, at) =>
              assert.ok(Math.abs(value - standard.rows[at]) <= TOLERANCE, `${trade}: ${value}, ${standard.rows[at]}`),
            );
          for (const trade of ["balanced", "few-rounds"])
            assert.ok(byTrade.get(trade)!.rounds < standard.rounds, trade);
          assert.ok(byTrade.get("few-dealt-words")!.ofActivations < standard.ofActivations);
        });
});

const HEADS = 2;
const KEYS = 16;
const spec: AttentionSpec = {
  heads: HEADS,
  kvHeads: HEADS,
  headDim: KEYS,
  causal: true,
  window: null,
  scale: 1,
  softCap: null,
};

/** Logits that reach about +-`reach`; values are the unit vectors, so that what comes out are the weights. */
function inputs(reach: number, rows: number, seed: string): { q: Float64Array; k: Float64Array; v: Float64Array } {
  const generator = new Generator(seed, "rows");
  const even = (largest: number): number => (generator.nextUnit() * 2 - 1) * largest;
  const k = Float64Array.from({ length: rows * HEADS * KEYS }, () => even(1.5));
  const q = Float64Array.from({ length: rows * HEADS * KEYS }, () => even(reach / 8));
  const v = new Float64Array(k.length);
  for (let row = 0; row < rows; row++)
    for (let head = 0; head < HEADS; head++) v[(row * HEADS + head) * KEYS + (row % KEYS)] = 1;
  return { q, k, v };
}

const run = (rows: number, past: number, reach: number): AttentionRun => ({
  spec,
  rows,
  past,
  sequenceLimit: KEYS,
  precision: traded(FINE_PRECISION, "few-rounds"),
  ranges: {
    logits: { range: "calibrated", maxAbs: 2 * reach, low: -2 * reach, high: 2 * reach, spread: 2 * reach },
    attended: { range: "calibrated", maxAbs: 1 },
  },
});
const noFactors = (): ModelFactors =>
  new ModelFactors(() => {
    throw new Error("attention without projections: expected to read no parameter");
  });

describe("rows normalised late", () => {
  for (const reach of [2, 8, 14])
    it(`have the weights of a softmax of logits to +-${reach}, in a prompt and after it`, async () => {
      const all = inputs(reach, KEYS, `reach ${reach}`);
      const simulation = new Simulation(2, noFactors());
      const first = KEYS - 2;
      for (const [past, end] of [
        [0, first],
        [first, KEYS],
      ]) {
        const setting = run(end - past, past, reach);
        const plan = attentionPlan(setting);
        assert.ok(plan.instructions.some((one) => one.gate === "row-sum" && one.byQuery === true));
        const part = (name: "q" | "k" | "v"): Float64Array =>
          all[name].subarray(past * HEADS * KEYS, end * HEADS * KEYS);
        const { outputs } = await simulation.run(plan, { q: part("q"), k: part("k"), v: part("v") });
        for (const { head, query, key, weight } of exactWeights(setting, part("q"), all.k)) {
          const got = outputs.rows[(query * HEADS + head) * KEYS + key];
          assert.ok(Math.abs(got - weight) < 2 ** -8, `${head}, ${query}, ${key}: ${got}, ${weight}`);
        }
        for (const { output, expected, tolerance } of plan.checks)
          for (const value of outputs[output])
            assert.ok(Math.abs(value - expected) <= tolerance, `${output}: ${value}`);
      }
    });

  it("are found where logits leave their range, most of them, and their own checks say which", async () => {
    const plan = attentionPlan(run(KEYS, 0, 4));
    const { output, expected, tolerance } = plan.checks.find(({ site }) => site.includes("logits"))!;
    let [found, of] = [0, 0];
    for (let trial = 0; trial < 8; trial++) {
      const { outputs } = await new Simulation(2, noFactors()).run(plan, inputs(60, KEYS, `trial ${trial}`));
      for (const value of outputs[output]) if (Math.abs(value - expected) > tolerance) found++;
      of += outputs[output].length;
    }
    assert.ok(found >= of / 2, `expected half of ${of} rows, got ${found}`);
  });
});
