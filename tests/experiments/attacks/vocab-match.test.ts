import assert from "node:assert/strict";
import test from "node:test";
import { vocabMatch } from "../../../experiments/attacks/vocab-match/attack.ts";
import { seededChance } from "../../../experiments/lab/statistics/bootstrap.ts";
import { openMatchingModel } from "./matching-model.ts";

const BUDGET = { forwardPasses: 100_000, seed: 3 };

test("vocab-match reads a prompt from the rows of a layer, proves each token, and noise proves none", async () => {
  const matching = await openMatchingModel({ alpha: 1 }, 2, 14);
  const { attacked, preparation } = matching;
  const rows = attacked.session.view(["comp.0"]).filter(({ kind }) => kind === "row");
  for (const options of [
    { variant: "aligned", order: "modelAndRow", trainingTokens: 2048 },
    { variant: "aligned", order: "model" },
    { variant: "rowsPermuted" },
    { variant: "hiddenPermuted" },
  ]) {
    const prepared = await vocabMatch.prepare(preparation, vocabMatch.parseOptions(options));
    const found = await prepared.recover(rows, matching.known(), BUDGET);
    const first = attacked.ids.map((_, position) => found.guesses.get(position)?.[0]);
    assert.deepEqual(first, attacked.ids, JSON.stringify(options));
    assert.equal(found.certified.size, attacked.ids.length);
    assert.deepEqual(await prepared.recover(rows, matching.known(), BUDGET), found, "same seed, same recovery");

    const chance = seededChance(5);
    const noise = rows.map(({ data }) => Float32Array.from(data as Float32Array, () => 4 * chance() - 2));
    const spoiled = await prepared.recover(noise, matching.known(), { ...BUDGET, forwardPasses: 600 });
    assert.equal(spoiled.certified.size, 0, "noise certifies nothing");
    assert.ok(spoiled.forwardPasses <= 600);
    await prepared.close();
  }
  await matching.close();
});

test("without rows the prior is the model's own text, and ids that were given are kept", async () => {
  const matching = await openMatchingModel({ alpha: 1 }, 1, 10);
  const { attacked, preparation } = matching;
  const prepared = await vocabMatch.prepare(preparation, vocabMatch.parseOptions({ order: "model" }));
  const whole = attacked.session.view(["comp.0"]);
  const told = await prepared.prior(whole, matching.known(), BUDGET);
  assert.deepEqual(
    attacked.ids.map((_, position) => told.guesses.get(position)?.[0]),
    attacked.ids,
  );
  const untold = await prepared.prior(
    whole.filter(({ kind }) => kind !== "ids"),
    matching.known(),
    BUDGET,
  );
  assert.equal(untold.guesses.size, attacked.ids.length);
  assert.ok(attacked.ids.some((id, position) => untold.guesses.get(position)![0] !== id));
  await matching.close();
});

test("vocab-match stops where a row is missing", async () => {
  const matching = await openMatchingModel({ alpha: 2, c: 3 }, 1, 9);
  const prepared = await vocabMatch.prepare(matching.preparation, vocabMatch.parseOptions({ order: "model" }));
  const rows = matching.attacked.session.view(["comp.0"]).filter(({ kind }) => kind === "row");
  const found = await prepared.recover(rows, matching.known(), BUDGET);
  assert.deepEqual([...found.guesses.keys()], [0, 1, 2]);
  await matching.close();
});

test("options name what is wrong with them", () => {
  assert.throws(() => vocabMatch.parseOptions({ variant: "sideways" }), /vocab-match: variant/);
});
