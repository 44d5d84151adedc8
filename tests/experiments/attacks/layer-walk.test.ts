/** Walks through layers give the rows that the whole model computes. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openModel } from "../../../layers/model.ts";
import { onnxEngine } from "../../../layers/onnx/engine.ts";
import { monolithicModel } from "../../../layers/onnx/monolithic-model.ts";
import { seededChance } from "../../../experiments/lab/statistics/bootstrap.ts";
import { LayerWalk } from "../../../experiments/attacks/probes/layer-walk.ts";
import { VocabularyWalk } from "../../../experiments/attacks/probes/vocabulary-walk.ts";

const fixture = (name: string): string => new URL(`../../fixtures/models/${name}`, import.meta.url).pathname;

describe("layer walks", () => {
  // Grouped queries; soft caps and windows; learned positions.
  for (const name of ["llama-gqa", "gemma2", "gpt2"])
    it(`rows of ${name} are the whole model's, of texts and of every token after a fixed text`, async () => {
      const model = await openModel(fixture(name));
      const engine = await onnxEngine(model, { threads: 1, stages: [] });
      const whole = await monolithicModel(model, { threads: 1 });
      try {
        const { layers, width, vocabulary } = model.spec;
        const chance = seededChance(name);
        const token = (): number => Math.floor(chance() * vocabulary);
        const texts = [9, 1, 14].map((length) => Array.from({ length }, token));
        const [text, prefix, next] = [texts[2], texts[0], token()];
        const expected = await whole.begin().extend(text, { hidden: true });
        const after = await whole.begin().extend([...prefix, next], { hidden: true });
        const alone = await whole.begin().extend([next], { hidden: true });
        const walk = await LayerWalk.begin(engine, texts);
        const [every, first] = [await VocabularyWalk.begin(engine, prefix), await VocabularyWalk.begin(engine, [])];
        const close = (rows: Float32Array, from: number, wanted: Float32Array, what: string): void => {
          const scale = Math.max(1, ...wanted.map(Math.abs));
          wanted.forEach((value, at) => assert.ok(Math.abs(rows[from + at] - value) < 1e-4 * scale, `${what}, ${at}`));
        };
        // The last of `hidden` is normed, so that the row after the last layer isn't among them.
        for (let layer = 0; layer < layers; layer++) {
          assert.equal(walk.layer, layer);
          close(walk.rows, (9 + 1) * width, expected.hidden[layer].data, `${name} text, layer ${layer}`);
          const last = after.hidden[layer].data.subarray(prefix.length * width);
          close(every.rows, next * width, last, `${name} after a text, layer ${layer}`);
          close(first.rows, next * width, alone.hidden[layer].data, `${name} alone, layer ${layer}`);
          let shown = 0;
          await walk.step(({ ids, positions, rows, projections }) => {
            assert.equal(rows.length, ids.length * width);
            assert.ok(projections !== null);
            assert.deepEqual(positions.slice(0, 10), [0, 1, 2, 3, 4, 5, 6, 7, 8, 0]);
            shown += ids.length;
          });
          assert.equal(shown, 24);
          await every.step(layer);
          await first.step(layer);
        }
        const { finished } = await engine.head({ data: walk.rows.slice(10 * width), shape: [14, width] });
        close(finished.data as Float32Array, 0, expected.hidden[layers].data, `${name} finished`);
        await walk.step(({ projections }) => assert.equal(projections, null));
        assert.equal(walk.layer, layers, "stays after the last layer");
      } finally {
        await whole.close();
        await engine.close();
        await model.close();
      }
    });
});
