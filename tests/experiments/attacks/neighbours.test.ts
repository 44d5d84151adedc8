/** Neighbours' tokens from rows: a planted language in which counts can't tell them and rows can. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { noiseView } from "../../../experiments/lab/noise-view.ts";
import { neighbours } from "../../../experiments/attacks/neighbours/attack.ts";
import { neighboursOf } from "../../../experiments/attacks/probes/neighbour-probe.ts";
import { TokenPairs } from "../../../experiments/attacks/probes/token-pairs.ts";
import { ProbeScene, type Draw } from "./probe-scene.ts";

/** Tokens that stand at even positions, and as many others at odd ones. */
const WORDS = 6;
/** A text says two tokens in turn; whichever stands at the odd positions, the other may be any. */
const draw: Draw = (before, chance) =>
  before.length < 2 ? before.length * WORDS + Math.floor(chance() * WORDS) : before[before.length - 2];
const options = neighbours.parseOptions({
  trainingTokens: 8000,
  windowTokens: 24,
  offsets: [-1],
  probes: ["class-means"],
});

describe("neighbours", () => {
  let scene: ProbeScene;
  before(async () => {
    scene = await ProbeScene.open({ alpha: 2, c: 1, smpcLayers: "none" }, ["comp.1"], draw);
  });
  after(() => scene.close());

  it("reads hidden tokens from the rows after them, where layers have mixed them in; not from the embedding or noise", async () => {
    const { view, ids } = scene.attacked;
    const own = [...view.rows("row", 1).keys()];
    const hidden = own.map((t) => t - 1).filter((t) => t >= 0 && !own.includes(t));
    assert.ok(hidden.length >= 8);
    const right = (guesses: ReadonlyMap<number, readonly number[]>): number =>
      hidden.filter((t) => guesses.get(t)?.[0] === ids[t]).length / hidden.length;
    const at = async (layer: number) => {
      const attack = await neighbours.prepare(scene.preparation(layer), options);
      const found = await attack.recover(view, scene.known, scene.budget);
      const noise = await attack.recover(noiseView(view, 1), scene.known, scene.budget);
      const prior = await attack.prior(view, scene.known, scene.budget);
      await attack.close();
      return { found: right(found.guesses), noise: right(noise.guesses), prior: right(prior.guesses), all: found };
    };
    const [embedding, first, again] = [await at(0), await at(1), await at(1)];
    assert.ok(embedding.found <= 0.4, `embedding: ${embedding.found}`);
    assert.ok(first.found >= 0.6, `layer 1: ${first.found}`);
    assert.ok(first.noise <= 0.4, `noise: ${first.noise}`);
    assert.ok(first.prior <= 0.4, `prior: ${first.prior}`);
    assert.deepEqual(again.all, first.all, "same seed, same result");
  });

  it("refuses the row's own position", () => {
    assert.throws(() => neighbours.parseOptions({ offsets: [0] }), /neighbours: offsets/);
  });
});

describe("token pairs", () => {
  it("mixes counts with the unigram by Witten and Bell's rule, to probabilities", () => {
    const pairs = new TokenPairs([[0, 1, 0, 1, 0, 2]], 1, 4);
    const given = pairs.given(0);
    assert.ok(Math.abs(given.reduce((sum, log) => sum + Math.exp(log), 0) - 1) < 1e-12);
    // After 0: 1, 1, 2. Three occurrences, two different followers: 3/5 by counts, 2/5 by the unigram (2.5 of 8).
    assert.ok(Math.abs(Math.exp(given[1]) - (2 / 5 + (2 / 5) * (2.5 / 8))) < 1e-12);
    assert.deepEqual(pairs.given(3), pairs.unigram);
    const before = new TokenPairs([[0, 1, 0, 1, 0, 2]], -1, 4).given(2);
    assert.equal(before.indexOf(Math.max(...before)), 0);
  });

  it("finds neighbours within a text alone", () => {
    assert.deepEqual(neighboursOf([5, 6, 7, 8], [0, 1, 0, 1], 1), [6, -1, 8, -1]);
    assert.deepEqual(neighboursOf([5, 6, 7, 8], [0, 1, 0, 1], -1), [-1, 5, -1, 7]);
    assert.deepEqual(neighboursOf([5, 6, 7, 8], [0, 1, 2, 0], 2), [7, -1, -1, -1]);
  });
});
