import assert from "node:assert/strict";
import test from "node:test";
import { openingLogits } from "../../../experiments/attacks/matching/proposals.ts";
import { PrefixForward } from "../../../experiments/attacks/matching/prefix-forward.ts";
import { calibrateGap } from "../../../experiments/attacks/gap-match/gap-calibration.ts";
import { GapEvaluator } from "../../../experiments/attacks/gap-match/gap-evaluator.ts";
import { foretellPairs, measureEffects } from "../../../experiments/attacks/gap-match/gap-pairs.ts";
import { openMatchingModel } from "./matching-model.ts";

test("the truth is among the pairs foretold, also by effects that were measured on another guess", async () => {
  const matching = await openMatchingModel({ alpha: 1 }, 1, 12);
  const { engine, attacked, preparation } = matching;
  const { ids } = attacked;
  const { measure } = await calibrateGap(engine, 1, preparation.calibration);
  const forward = new PrefixForward(engine);
  await forward.extend(ids.slice(0, 7));
  const observed = attacked.session.view(["comp.0"]).rows("row", 1).get(9)!;
  const row = { forward, layer: 1, missing: 2, observed, measure, opening: await openingLogits(engine) };
  const evaluator = new GapEvaluator(row);
  const vocabulary = Array.from({ length: engine.spec.vocabulary }, (_, id) => id);
  const [here, elsewhere] = [
    [17, 301, ids[9]],
    [111, 42, ids[9]],
  ];
  const before = forward.passes;
  const effects = await measureEffects(evaluator, row, here, [vocabulary, vocabulary]);
  const measured = forward.passes - before;
  for (const base of [here, elsewhere]) {
    const pairs = await foretellPairs(evaluator, row, base, effects);
    const at = pairs.findIndex((guess) => guess.every((token, place) => token === ids[7 + place]));
    assert.ok(at >= 0, `expected the truth among ${pairs.length} pairs of ${vocabulary.length ** 2}`);
  }
  assert.ok(forward.passes - before - measured <= 8, "pairs are foretold from effects without running them");
  await matching.close();
});
