import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { CalibrationPrompt } from "../../../experiments/lab/attack.ts";
import { noiseView } from "../../../experiments/lab/noise-view.ts";
import { beamDecode, spreadOf } from "../../../experiments/attacks/joint-decode/beam-decode.ts";
import { guessMoves } from "../../../experiments/attacks/joint-decode/guess-moves.ts";
import { ownWindows } from "../../../experiments/attacks/joint-decode/own-windows.ts";
import { standingOut } from "../../../experiments/attacks/joint-decode/row-covariance.ts";
import { jointDecode } from "../../../experiments/attacks/joint-decode/attack.ts";
import { seededChance } from "../../../experiments/lab/statistics/bootstrap.ts";
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { openMatchingModel, type MatchingModel } from "./matching-model.ts";

const OPTIONS = { trainingTokens: 4096, fills: 200, contexts: 2, beam: 200 };
const BUDGET = { forwardPasses: 3_000_000, seed: 1 };

/** The calibration prompts as a party sees them. */
async function seenBy({ parties, preparation }: MatchingModel, party: string): Promise<CalibrationPrompt[]> {
  const seen: CalibrationPrompt[] = [];
  for (const { ids } of preparation.calibration)
    seen.push({ ids, view: (await parties.record([...ids])).view([party]) });
  return seen;
}

test("reads every token before a CompNode's last row from its own rows, layers below under SMPC and merges masked; not those of another prompt", async () => {
  const setting = { alpha: 4, c: 1, smpcLayers: "first:2", merge: "masked" };
  const matching = await openMatchingModel(setting, 2, 9);
  const { ids, session } = matching.attacked;
  const view = session.view(["comp.3"]);
  const calibration = await seenBy(matching, "comp.3");
  // The same rows after a first token that isn't the prompt's: rows of another prompt, as any guess sees them.
  const other = calibration[0].view;
  const prepared = await jointDecode.prepare(
    { ...matching.preparation, calibration },
    jointDecode.parseOptions(OPTIONS),
  );
  try {
    const real = await prepared.recover(view, matching.known(), BUDGET);
    const read = ids.slice(0, 8);
    assert.deepEqual(
      read.map((_, t) => real.guesses.get(t)?.[0]),
      read,
    );
    assert.ok(read.every((_, t) => real.certified.has(t)));
    assert.equal(real.figures.hiddenCertified, 6);
    const noise = await prepared.recover(noiseView(view, 3), matching.known(), BUDGET);
    assert.equal(noise.certified.size, 0);
    const foreign = await prepared.recover(other, matching.known(), BUDGET);
    const wrong = [...foreign.certified].filter((t) => foreign.guesses.get(t)![0] === ids[t]);
    assert.deepEqual(
      [...foreign.certified].map((t) => foreign.guesses.get(t)![0]),
      [...foreign.certified].map((t) => calibration[0].ids[t]),
      "rows of another prompt prove that prompt's tokens, if any",
    );
    assert.ok(wrong.length < 3, `expected none of this prompt's tokens beyond chance, got ${wrong.length}`);
  } finally {
    await prepared.close();
    await matching.close();
  }
});

test("rows of which one number is off by a tenth prove nothing", async () => {
  const matching = await openMatchingModel({ alpha: 4, c: 1, smpcLayers: "first:1", merge: "masked" }, 1, 5);
  const view = matching.attacked.session.view(["comp.3"]);
  const calibration = await seenBy(matching, "comp.3");
  const prepared = await jointDecode.prepare(
    { ...matching.preparation, calibration },
    jointDecode.parseOptions(OPTIONS),
  );
  try {
    const bent = view.map(({ kind, data }) => {
      if (kind !== "row" || !(data instanceof Float32Array)) return data;
      const largest = data.reduce((most, value, at) => (Math.abs(value) > Math.abs(data[most]) ? at : most), 0);
      return data.map((value, at) => (at === largest ? 1.1 * value : value));
    });
    const { certified } = await prepared.recover(bent, matching.known(), { forwardPasses: 300_000, seed: 1 });
    assert.equal(certified.size, 0);
  } finally {
    await prepared.close();
    await matching.close();
  }
});

test("a beam under an additive model finds the tokens that rows are made of", async () => {
  const product = await Float64Product.open(1);
  const [width, vocabulary, window] = [24, 60, 5];
  for (const seed of [1, 2, 3]) {
    const chance = seededChance(seed);
    const places = Array.from({ length: window }, () => ({
      tokens: Array.from({ length: vocabulary }, (_, token) => token),
      prior: new Float64Array(vocabulary).fill(1 / vocabulary),
      effects: Float32Array.from({ length: vocabulary * width }, () => chance() - 0.5),
      rowOf: new Map(Array.from({ length: vocabulary }, (_, token) => [token, token])),
    }));
    const base = Float64Array.from({ length: width }, () => chance());
    const truth = places.map(() => Math.floor(chance() * vocabulary));
    const observed = base.map(
      (value, i) => value + places.reduce((sum, { effects }, place) => sum + effects[truth[place] * width + i], 0),
    );
    const noise = new Float64Array(width * width);
    for (let i = 0; i < width; i++) noise[i * (width + 1)] = 1e-4;
    const spreads = await Promise.all(places.map((place) => spreadOf(product, place)));
    const [first] = await beamDecode(product, { base, places }, spreads, noise, observed, {
      beam: 200,
      priorWeight: 1,
    });
    assert.deepEqual(first, truth);
  }
  await product.close();
});

test("a beam decodes effects that add up exactly, of fewer candidates than a row has numbers", async () => {
  const product = await Float64Product.open(1);
  const [width, count] = [24, 6];
  const chance = seededChance(5);
  const places = [0, 1].map(() => ({
    tokens: Array.from({ length: count }, (_, token) => token),
    prior: new Float64Array(count).fill(1 / count),
    effects: Float32Array.from({ length: count * width }, () => chance() - 0.5),
    rowOf: new Map(Array.from({ length: count }, (_, token) => [token, token])),
  }));
  const base = new Float64Array(width);
  const observed = base.map((_, i) => places[0].effects[4 * width + i] + places[1].effects[width + i]);
  const spreads = await Promise.all(places.map((place) => spreadOf(product, place)));
  const none = new Float64Array(width * width);
  for (let i = 0; i < width; i++) none[i * (width + 1)] = 1e-20;
  const decode = (noise: Float64Array): Promise<number[][]> =>
    beamDecode(product, { base, places }, spreads, noise, observed, { beam: 20, priorWeight: 1 });
  await assert.rejects(decode(none), /positive definite/);
  const covariances = spreads.map(({ covariance }) => covariance);
  assert.deepEqual((await decode(standingOut(none, covariances, width)))[0], [4, 1]);
  await product.close();
});

test("windows cover every position up to the last own row once, each ends with an own row", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(60), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 4 }),
      (own, most) => {
        const windows = ownWindows(own, most);
        let end = 0;
        for (const window of windows) {
          assert.equal(window.start, end);
          assert.ok(window.end > window.start);
          assert.equal(window.own.at(-1), window.end - 1);
          assert.ok(window.own.length <= most);
          end = window.end;
        }
        assert.equal(end, Math.max(...own) + 1);
        assert.deepEqual(
          windows.flatMap((window) => window.own),
          [...own].sort((a, b) => a - b),
        );
      },
    ),
  );
});

test("moves keep to the places that may change, and name every exchange of two", () => {
  const moves = [...guessMoves([1, 2, 3, 4], [[5, 6, 3, 4]], [0, 1, 2])];
  assert.ok(moves.every((move) => move[3] === 4));
  for (const exchanged of [
    [2, 1, 3, 4],
    [3, 2, 1, 4],
    [1, 3, 2, 4],
  ])
    assert.ok(moves.some((move) => move.join() === exchanged.join()));
  assert.ok(
    moves.some((move) => move.join() === "5,2,3,4"),
    "a token of the other guess",
  );
});
