/** Own-token probes on the default model's rows: the same answer at any scale, and at position 0 from a table. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { OwnProbes } from "../../../experiments/attacks/probes/own-probes.ts";
import { LayerWalk } from "../../../experiments/attacks/probes/layer-walk.ts";
import { seededChance } from "../../../experiments/lab/statistics/bootstrap.ts";
import { openMatchingModel, type MatchingModel } from "./matching-model.ts";

const LAYER = 1;

describe("own-token probes", () => {
  let scene: MatchingModel;
  let walk: LayerWalk;
  before(async () => {
    scene = await openMatchingModel({ alpha: 1 }, LAYER, 16);
    const { calibration } = scene.preparation;
    walk = await LayerWalk.begin(scene.engine, [scene.attacked.ids, ...calibration.map(({ ids }) => ids)]);
    for (let below = 0; below < LAYER; below++) await walk.step();
  });
  after(() => scene.close());

  const train = (): Promise<OwnProbes> => {
    const { engine, training, encode } = scene.preparation;
    const documents = training.documents.map((text) => encode(text));
    return OwnProbes.train({ engine, layer: LAYER, documents, tokens: 2000, seed: 1 });
  };
  const row = (at: number): Float32Array => {
    const { width } = scene.engine.spec;
    return walk.rows.slice(at * width, (at + 1) * width);
  };

  it("names nearly all tokens of rows, those at position 0 without exception, and few tokens of noise", async () => {
    const probes = await train();
    assert.ok(Number.isNaN(probes.calibrationScore), "no calibration, no score");
    const named = walk.positions.map((position, at) => probes.rank(position, row(at), 1).ids[0]);
    const of = (rows: readonly number[]): number =>
      rows.filter((at) => named[at] === walk.ids[at]).length / rows.length;
    const all = Array.from(walk.ids.keys());
    assert.ok(of(all) > 0.9, `${of(all)}`);
    assert.equal(of(all.filter((at) => walk.positions[at] === 0)), 1);
    const chance = seededChance("noise");
    const noise = all.filter((at) => {
      const drawn = row(at).map(() => chance() - 0.5);
      return probes.rank(1, drawn, 1).ids[0] === walk.ids[at];
    });
    assert.ok(noise.length / all.length < 0.1, `${noise.length} of ${all.length} from noise`);
  });

  it("doesn't see a row's length, and gives the same again", async () => {
    const [probes, again] = [await train(), await train()];
    for (const at of [0, 5, 27]) {
      const ids = probes.rank(walk.positions[at], row(at), 4).ids;
      const longer = row(at).map((value) => 50 * value);
      assert.deepEqual(probes.rank(walk.positions[at], longer, 4).ids, ids);
      assert.deepEqual(again.rank(walk.positions[at], row(at), 4).ids, ids);
    }
  });
});
