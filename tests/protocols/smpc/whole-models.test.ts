import assert from "node:assert/strict";
import { test } from "node:test";
import { parameterReader } from "../../../layers/reference/engine.ts";
import { plainForward } from "../../../layers/reference/plain-forward.ts";
import type { Model } from "../../../layers/model.ts";
import { calibrate } from "../../../protocols/smpc/calibration/calibrate.ts";
import { calibrationText } from "../../../protocols/smpc/calibration/calibration-text.ts";
import { rangeOfSite } from "../../../protocols/smpc/calibration/margins.ts";
import type { Plan } from "../../../protocols/smpc/plan/instruction.ts";
import { lowerLayers } from "../../../protocols/smpc/lowering/lower-layers.ts";
import { FINE_PRECISION, type Precision } from "../../../protocols/smpc/lowering/precision.ts";
import { traded } from "../../../protocols/smpc/lowering/trade.ts";
import { ParameterStatistics } from "../../../protocols/smpc/factors/parameter-statistics.ts";
import { planCost } from "../../../protocols/smpc/plan/plan-cost.ts";
import { ModelFactors } from "../../../protocols/smpc/factors/public-factors.ts";
import { Simulation } from "../../../protocols/smpc/run/simulation.ts";
import { RecordedWalks } from "./recorded-walks.ts";
import { maxError, MODEL_NAMES, openGolden } from "../../layers/golden-models.ts";

/** Issue: hidden states of all fixtures with all layers under SMPC. */
const HIDDEN_TOLERANCE = 2e-2;

interface Prepared {
  readonly plan: (rows: number, past: number, sequenceLimit: number) => Plan;
  readonly factors: ModelFactors;
}

async function prepare(model: Model, precision: Precision = FINE_PRECISION): Promise<Prepared> {
  const { spec, program } = model;
  const ranges = await calibrate(model, await calibrationText(model, null), { from: 0, to: spec.layers, head: true });
  const reader = parameterReader(model);
  for (let layer = 0; layer < spec.layers; layer++)
    await reader.load((a) => [program.pre(a, spec, layer, null), program.post(a, spec, layer, null, null)]);
  await reader.load((a) => [program.finish(a, spec, null), program.logits?.(a, spec, null)]);
  const statistics = new ParameterStatistics(reader.parameter);
  return {
    factors: new ModelFactors(reader.parameter),
    plan: (rows, past, sequenceLimit) =>
      lowerLayers({
        spec,
        program,
        statistics,
        ranges: rangeOfSite(ranges),
        from: 0,
        to: spec.layers,
        head: true,
        rows,
        past,
        sequenceLimit,
        precision,
      }),
  };
}

const SQUARE_PRECISION: Precision = { ...FINE_PRECISION, softmax: "square" };

for (const [name, precision] of [
  ...MODEL_NAMES.map((each) => [each, FINE_PRECISION] as const),
  ["bert", SQUARE_PRECISION],
  ["llama-gqa", SQUARE_PRECISION],
  ["bert", traded(FINE_PRECISION, "few-dealt-words")],
  ["llama-gqa", traded(FINE_PRECISION, "balanced")],
  ["gemma2", traded(FINE_PRECISION, "few-rounds")],
] as const) {
  test(`${name}, softmax by ${precision.softmax}, ${precision.normalised} normalised: all layers under SMPC give the hidden states of the plain model`, async () => {
    const { model, golden } = await openGolden(name);
    const { plan: planOf, factors } = await prepare(model, precision);
    const plan = planOf(golden.ids.length, 0, golden.ids.length);
    const isSquared = plan.checks.some(({ output }) => output.startsWith("check.start."));
    assert.equal(isSquared, precision.softmax === "square");
    const { hidden, logits } = await plainForward(model, golden.ids);
    const simulation = new Simulation(2, factors);
    const walks = new RecordedWalks();
    const { outputs, counts } = await simulation.run(plan, { x: hidden[0].data }).finally(() => walks.close());
    assert.ok(walks.check(plan, 2) >= plan.rounds, "wires that dealer and parties agree on");
    const error = maxError(outputs.rows, hidden[hidden.length - 1].data);
    assert.ok(error <= HIDDEN_TOLERANCE, `largest error of a hidden state: ${error}`);
    if (logits !== null) {
      const logitError = maxError(outputs.logits, logits.data);
      assert.ok(logitError <= HIDDEN_TOLERANCE, `largest error of a logit: ${logitError}`);
    }
    for (const { output, expected, tolerance } of plan.checks)
      for (const value of outputs[output]) assert.ok(Math.abs(value - expected) <= tolerance, `${output}: ${value}`);
    const cost = planCost(plan, 2);
    assert.deepEqual(counts, { onlineBytes: cost.onlineBytes, dealtBytes: cost.dealtBytes, rounds: plan.rounds });
    await model.close();
  });
}

for (const [name, parties] of [
  ["llama-gqa", 3],
  ["mistral-window", 2],
  ["gpt2", 4],
] as const) {
  test(`${name}, ${parties} parties: decoding with kept keys and values gives what the whole pass gives`, async () => {
    const { model, golden } = await openGolden(name);
    const { width } = model.spec;
    const { plan, factors } = await prepare(model);
    const { hidden } = await plainForward(model, golden.ids);
    const last = hidden[hidden.length - 1].data;
    const simulation = new Simulation(parties, factors);
    const walks = new RecordedWalks();
    const limit = golden.ids.length;
    let worst = 0;
    for (let past = 0; past < limit;) {
      const rows = past === 0 ? limit - 4 : past === limit - 4 ? 2 : 1; // a prompt, then steps of two rows and of one
      const { outputs, counts } = await simulation.run(plan(rows, past, limit), {
        x: hidden[0].data.subarray(past * width, (past + rows) * width),
      });
      worst = Math.max(worst, maxError(outputs.rows, last.subarray(past * width, (past + rows) * width)));
      assert.equal(counts.onlineBytes, planCost(plan(rows, past, limit), parties).onlineBytes);
      walks.check(plan(rows, past, limit), parties);
      past += rows;
    }
    walks.close();
    assert.ok(worst <= HIDDEN_TOLERANCE, `largest error of a hidden state: ${worst}`);
    await model.close();
  });
}

test("a dealer that has another mask than the parties is found", async () => {
  const { model, golden } = await openGolden("gpt2");
  const { plan: planOf, factors } = await prepare(model);
  const plan = planOf(golden.ids.length, 0, golden.ids.length);
  const { hidden } = await plainForward(model, golden.ids);
  const walks = new RecordedWalks();
  let altered = false;
  // One party takes one mask otherwise than the dealer does.
  const simulation = new Simulation(2, factors, (mask) => {
    if (!altered) mask[0] ^= 1n;
    altered = true;
  });
  await simulation.run(plan, { x: hidden[0].data }).finally(() => walks.close());
  assert.throws(() => walks.check(plan, 2), /wire \d+: the mask/);
  await model.close();
});
