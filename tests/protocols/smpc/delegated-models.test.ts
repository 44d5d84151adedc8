import assert from "node:assert/strict";
import { test } from "node:test";
import { parameterReader } from "../../../layers/reference/engine.ts";
import { plainForward } from "../../../layers/reference/plain-forward.ts";
import { calibrate } from "../../../protocols/smpc/calibration/calibrate.ts";
import { calibrationText } from "../../../protocols/smpc/calibration/calibration-text.ts";
import { rangeOfSite } from "../../../protocols/smpc/calibration/margins.ts";
import { ModelClientFactors } from "../../../protocols/smpc/factors/client-factors.ts";
import { ParameterStatistics } from "../../../protocols/smpc/factors/parameter-statistics.ts";
import { ModelFactors } from "../../../protocols/smpc/factors/public-factors.ts";
import { BY_CLIENT, GROUPS, type Evaluators } from "../../../protocols/smpc/lowering/evaluators.ts";
import { lowerLayers } from "../../../protocols/smpc/lowering/lower-layers.ts";
import { FINE_PRECISION, FINEST_PRECISION } from "../../../protocols/smpc/lowering/precision.ts";
import { Simulation } from "../../../protocols/smpc/run/simulation.ts";
import { maxError, MODEL_NAMES, openGolden } from "../../layers/golden-models.ts";

const HIDDEN_TOLERANCE = 2e-2;
const DELEGATED_TOLERANCE = 1e-3;

const CHOICES = Array.from(
  { length: 2 ** GROUPS.length },
  (_, choice) =>
    Object.fromEntries(
      GROUPS.map((group, bit) => [group, (choice >> bit) % 2 === 1 ? "client" : "parties"]),
    ) as Evaluators,
);

for (const name of MODEL_NAMES)
  test(`${name}: whoever evaluates, the layers give the hidden states of the plain model`, async () => {
    const { model, golden } = await openGolden(name);
    const { spec, program } = model;
    const ranges = await calibrate(model, await calibrationText(model, null), { from: 0, to: spec.layers, head: true });
    const reader = parameterReader(model);
    for (let layer = 0; layer < spec.layers; layer++)
      await reader.load((a) => [program.pre(a, spec, layer, null), program.post(a, spec, layer, null, null)]);
    await reader.load((a) => [program.finish(a, spec, null), program.logits?.(a, spec, null)]);
    const { hidden, logits } = await plainForward(model, golden.ids);
    for (const evaluators of CHOICES) {
      const isDelegated = evaluators === CHOICES[CHOICES.length - 1];
      const plan = lowerLayers({
        spec,
        program,
        statistics: new ParameterStatistics(reader.parameter),
        ranges: isDelegated ? (site) => assert.fail(`${site}: a delegated layer needs no range`) : rangeOfSite(ranges),
        from: 0,
        to: spec.layers,
        head: true,
        rows: golden.ids.length,
        past: 0,
        sequenceLimit: golden.ids.length,
        precision: isDelegated ? FINEST_PRECISION : FINE_PRECISION,
        evaluators: () => evaluators,
        headEvaluators: isDelegated ? BY_CLIENT : evaluators,
        clientEnds: true,
      });
      const x = Float64Array.from(hidden[0].data);
      const { outputs } = await new Simulation(3, new ModelFactors(reader.parameter)).run(
        plan,
        { x },
        { model: new ModelClientFactors(reader.parameter), inputs: { x }, kept: new Map() },
      );
      const tolerance = isDelegated ? DELEGATED_TOLERANCE : HIDDEN_TOLERANCE;
      const what = JSON.stringify(evaluators);
      const error = maxError(outputs.rows, hidden[hidden.length - 1].data);
      assert.ok(error <= tolerance, `${what}: largest error of a hidden state: ${error}`);
      if (logits !== null) {
        const logitError = maxError(outputs.logits, logits.data);
        assert.ok(logitError <= tolerance, `${what}: largest error of a logit: ${logitError}`);
      }
    }
  });
