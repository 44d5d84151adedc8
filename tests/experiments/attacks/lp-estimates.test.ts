/** Linear programs where keys and values are estimates: class means of a later layer, and the study that solves with them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ClassMeanDictionary } from "../../../experiments/attacks/lp/class-mean-dictionary.ts";
import { seededChance } from "../../../experiments/lab/statistics/bootstrap.ts";
import { LayerWalk } from "../../../experiments/attacks/probes/layer-walk.ts";
import { studyLp, type LpStudy } from "../../../experiments/attacks/studies/lp.ts";
import { StudyModel } from "../../../experiments/attacks/studies/study-model.ts";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import { randomModel } from "../../protocols/cascade/random-model.ts";

const LAYER = 1;

describe("a dictionary of class means", () => {
  it("has keys and values at any position near what a context makes of them", async () => {
    const model = randomModel({
      seed: 7,
      layers: 2,
      kvHeads: 2,
      group: 1,
      headDim: 4,
    });
    const engine = await referenceEngine(model);
    try {
      const { vocabulary } = model.spec;
      const chance = seededChance("texts");
      const text = (tokens: number): number[] =>
        Array.from({ length: tokens }, () => Math.floor(chance() * vocabulary));
      const documents = [text(4096)];
      const dictionary = await ClassMeanDictionary.train({
        model,
        engine,
        layer: LAYER,
        documents,
        tokens: 4096,
        seed: 1,
      });
      const walk = await LayerWalk.begin(
        engine,
        Array.from({ length: 20 }, () => text(12)),
      );
      while (walk.layer < LAYER) await walk.step();
      const all = Array.from({ length: vocabulary }, (_, token) => token);
      const right = { k: 0, v: 0 };
      let rows = 0;
      await walk.step(async ({ ids, positions, projections }) => {
        for (const [row, position] of positions.entries()) {
          if (position === 0) continue;
          rows++;
          const [k, v] = [projections!.k, projections!.v].map((data) => data.subarray(row * 8, (row + 1) * 8));
          const page = await dictionary.page(position, all);
          const seen = dictionary.seenPage({ position, tokens: [ids[row]], k, v });
          for (const part of ["k", "v"] as const) {
            const distances = all.map((token) =>
              seen[part].reduce((sum, value, i) => sum + (page[part][token * 8 + i] - value) ** 2, 0),
            );
            if (distances.indexOf(Math.min(...distances)) === ids[row]) right[part]++;
          }
        }
      });
      for (const part of ["k", "v"] as const)
        assert.ok(
          right[part] > 0.75 * rows,
          `${part}: expected most of ${rows} nearest their token, got ${right[part]}`,
        );
    } finally {
      await engine.close();
    }
  });
});

describe("the study of linear programs", () => {
  it("recovers a gap at layer 0 with proof, and nothing from noise; the same seed gives the same row", async () => {
    const model = await StudyModel.open(null, { alpha: 2, c: 1, smpcLayers: "none" });
    try {
      const study: LpStudy = {
        model,
        c: 1,
        alpha: 2,
        layer: 0,
        sums: "shards",
        wire: "float32",
        fit: "box",
        integer: false,
        cut: true,
        candidates: 0,
        equations: 16,
        evidence: 1,
        noise: false,
        seconds: 30,
        prompts: 2,
        skip: 0,
        seed: 1,
        report: () => {},
      };
      const { setting, figures, n } = await studyLp(study);
      assert.equal(n, 2);
      assert.equal(setting.gap, 2);
      const of = (found: typeof figures, name: string): number => (found[name] as { mean: number }).mean;
      assert.equal(of(figures, "accuracy"), 1);
      assert.equal(figures.proven, 2);
      assert.equal(figures.provenWrong, 0);
      const again = await studyLp(study);
      assert.deepEqual(again.figures.objectives, figures.objectives);
      const noise = (await studyLp({ ...study, noise: true })).figures;
      assert.equal(noise.proven, 0);
      assert.equal(of(noise, "accuracy"), 0);
    } finally {
      await model.close();
    }
  });
});
