import assert from "node:assert/strict";
import test from "node:test";
import { openingLogits } from "../../../experiments/attacks/matching/proposals.ts";
import { PrefixForward } from "../../../experiments/attacks/matching/prefix-forward.ts";
import { calibrateGap } from "../../../experiments/attacks/gap-match/gap-calibration.ts";
import { exhaustGap } from "../../../experiments/attacks/gap-match/gap-exhaustive.ts";
import { gapMatch } from "../../../experiments/attacks/gap-match/attack.ts";
import { searchGap, type GapTask } from "../../../experiments/attacks/gap-match/gap-search.ts";
import { seededChance } from "../../../experiments/lab/statistics/bootstrap.ts";
import { openMatchingModel, type MatchingModel } from "./matching-model.ts";

/** A gap before `position` of the attacked prompt, the prefix before it known. */
async function gapTask(matching: MatchingModel, position: number, missing: number): Promise<GapTask> {
  const { engine, attacked, preparation } = matching;
  const { layer } = preparation;
  const { measure, epsilon } = await calibrateGap(engine, layer, preparation.calibration);
  const forward = new PrefixForward(engine);
  await forward.extend(attacked.ids.slice(0, position - missing));
  const observed = attacked.session.view(["comp.0"]).rows("row", layer).get(position)!;
  const opening = await openingLogits(engine);
  const own = [attacked.ids[position]];
  return { forward, layer, missing, observed, measure, opening, own, ownKnown: true, epsilon, passes: 20_000 };
}

test("a search finds the tokens of a gap, as many as every guess would, and proves them", async () => {
  for (const layer of [1, 3]) {
    const matching = await openMatchingModel({ alpha: 1 }, layer, 12);
    const { ids } = matching.attacked;
    const task = await gapTask(matching, 9, 1);
    const answer = await searchGap(task);
    assert.deepEqual(answer.best.tokens, ids.slice(8, 10));
    assert.ok(answer.certified);
    assert.ok(answer.passes < matching.engine.spec.vocabulary);
    const all = await exhaustGap({ ...task, own: task.own }, 1e5);
    assert.deepEqual(all.best.tokens, answer.best.tokens);
    assert.ok(all.second.distance > task.epsilon, "no other guess is proven");
    const twice = await searchGap({ ...(await gapTask(matching, 9, 2)) });
    assert.deepEqual(twice.best.tokens, ids.slice(7, 10));
    assert.ok(twice.certified);
    await matching.close();
  }
});

test("a search of noise proves nothing, keeps to its budget and repeats itself", async () => {
  const matching = await openMatchingModel({ alpha: 1 }, 1, 12);
  const chance = seededChance(2);
  const search = async (): Promise<unknown> => {
    const task = await gapTask(matching, 9, 2);
    const answer = await searchGap({ ...task, observed: noise, passes: 1500 });
    assert.ok(!answer.certified);
    assert.ok(
      answer.passes <= 1600,
      `expected at most the budget and the last guesses' own tokens, got ${answer.passes}`,
    );
    return answer;
  };
  const noise = Float32Array.from({ length: matching.engine.spec.width }, () => 4 * chance() - 2);
  assert.deepEqual(await search(), await search());
  await matching.close();
});

test("one CompNode's view alone: each cluster is the prefix of the next", async () => {
  const matching = await openMatchingModel({ alpha: 2, c: 1 }, 1, 12);
  const { attacked, preparation } = matching;
  const prepared = await gapMatch.prepare(preparation, gapMatch.parseOptions({ trainingTokens: 2048 }));
  const view = attacked.session.view(["comp.0"]).filter(({ kind }) => kind === "row");
  const found = await prepared.recover(view, matching.known(), { forwardPasses: 50_000, seed: 1 });
  const seen = attacked.ids.slice(0, 11); // the last position is the other node's
  assert.deepEqual(
    seen.map((_, position) => found.guesses.get(position)?.[0]),
    seen,
  );
  assert.equal(found.figures.gapsCertified, 1);
  const prior = await prepared.prior(view, matching.known(), { forwardPasses: 1, seed: 1 });
  assert.ok(seen.some((id, position) => prior.guesses.get(position)![0] !== id));
  await prepared.close();
  await matching.close();
});

test("calibration takes the positions that a node sees, however few", async () => {
  const matching = await openMatchingModel({ alpha: 8, c: 1 }, 1, 12); // comp.0 sees positions 0 and 8
  const { right, wrong } = await calibrateGap(matching.engine, 1, matching.preparation.calibration);
  assert.ok(right < 1e-4 && wrong > 1e-2, `expected rounding and far above, got ${right} and ${wrong}`);
  await matching.close();
});

test("exhaustive search refuses what is too much, by name", async () => {
  const matching = await openMatchingModel({ alpha: 1 }, 1, 12);
  const task = await gapTask(matching, 9, 2);
  await assert.rejects(exhaustGap(task, 1e5), /exhaustive search: expected at most 100000 guesses/);
  await matching.close();
});
