/** Own tokens from the query, key and value rows of AttnNodes, on a small model. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { openModel } from "../../../layers/model.ts";
import { onnxEngine } from "../../../layers/onnx/engine.ts";
import { noiseView } from "../../../experiments/lab/noise-view.ts";
import { kvMatch } from "../../../experiments/attacks/kv-match/attack.ts";
import { rowReader, unrotated } from "../../../experiments/attacks/probes/row-kinds.ts";
import { positionsOf } from "../../../experiments/attacks/probes/view-rows.ts";
import { seededChance } from "../../../experiments/lab/statistics/bootstrap.ts";
import { ProbeScene } from "./probe-scene.ts";

const options = kvMatch.parseOptions({ trainingTokens: 2000, probes: ["class-means"] });

describe("kv-match", () => {
  for (const [party, kind] of [
    ["attn.1.1", "normed"],
    ["attn.1.0", "kv"],
  ] as const) {
    it(`recovers the tokens behind ${kind} rows of ${party} at layer 0, and nothing from noise`, async () => {
      const scene = await ProbeScene.open({ alpha: 2, c: 1, smpcLayers: "none" }, [party]);
      try {
        const { view, ids } = scene.attacked;
        const seen = positionsOf(view, 0, kind);
        assert.ok(seen.length > 5);
        const [attack, again] = [
          await kvMatch.prepare(scene.preparation(0), options),
          await kvMatch.prepare(scene.preparation(0), options),
        ];
        const found = await attack.recover(view, scene.known, scene.budget);
        assert.deepEqual(await again.recover(view, scene.known, scene.budget), found, "same seed, same result");
        for (const t of seen) assert.equal(found.guesses.get(t)?.[0], ids[t], `${kind} at ${t}`);
        // An AttnNode off the diagonal has queries of another shard than its keys.
        for (const t of positionsOf(view, 0, "q")) assert.equal(found.guesses.get(t)?.[0], ids[t], `q at ${t}`);
        const noise = await attack.recover(noiseView(view, 1), scene.known, scene.budget);
        const hits = [...noise.guesses].filter(([t, [guess]]) => guess === ids[t]).length;
        assert.ok(hits <= ids.length / 5, `${hits} of ${ids.length} from noise`);
        await attack.close();
        await again.close();
      } finally {
        await scene.close();
      }
    });
  }
});

describe("rows of each kind", () => {
  const fixture = (name: string): string => new URL(`../../fixtures/models/${name}`, import.meta.url).pathname;
  let product: Float64Product;
  before(async () => {
    product = await Float64Product.open(1);
  });
  after(() => product.close());

  for (const name of ["llama-gqa", "qwen2-bias", "gpt2"])
    it(`the normed row of ${name} is solved for: it gives the same q, k and v again`, async () => {
      const model = await openModel(fixture(name));
      const engine = await onnxEngine(model, { threads: 1, stages: [] });
      try {
        const chance = seededChance(name);
        const positions = [3, 0, 17];
        const rows = Float32Array.from({ length: 3 * model.spec.width }, () => chance() - 0.5);
        const projected = await engine.pre(1, { data: rows, shape: [3, model.spec.width] }, positions);
        const projections = {
          q: projected.q.data as Float32Array,
          k: projected.k.data as Float32Array,
          v: projected.v.data as Float32Array,
        };
        const reader = await rowReader(model, 1, "normed", product);
        assert.ok(reader !== null);
        const normed = await reader.read({ rows, projections, positions });
        // What the value projection makes of the solved row.
        const { width, kvHeads, headDim } = model.spec;
        const weight = await model.load("layers.1.v.weight"); // [width, kvHeads·headDim]
        const bias = model.spec.qkvBias ? await model.load("layers.1.v.bias") : null;
        const columns = kvHeads * headDim;
        for (let row = 0; row < 3; row++)
          for (let column = 0; column < columns; column++) {
            let value = bias?.[column] ?? 0;
            for (let i = 0; i < width; i++) value += normed[row * width + i] * weight[i * columns + column];
            assert.ok(Math.abs(value - projections.v[row * columns + column]) < 1e-4);
          }
      } finally {
        await engine.close();
        await model.close();
      }
    });

  it("gives no normed rows where queries and keys are normed head by head", async () => {
    const model = await openModel(fixture("qwen3"));
    assert.equal(await rowReader(model, 0, "normed", product), null);
    await model.close();
  });

  it("undoes rotations: the same row at any position", async () => {
    const model = await openModel(fixture("llama-gqa"));
    const engine = await onnxEngine(model, { threads: 1, stages: [] });
    try {
      const { width, rope, headDim } = model.spec;
      const one = Float32Array.from({ length: width }, (_, i) => Math.sin(i));
      const rows = new Float32Array(3 * width);
      for (let row = 0; row < 3; row++) rows.set(one, row * width);
      const positions = [0, 5, 200];
      const { q } = await engine.pre(0, { data: rows, shape: [3, width] }, positions);
      const plain = unrotated(q.data, positions, rope!, headDim);
      const columns = plain.length / 3;
      for (let i = 0; i < columns; i++)
        for (const row of [1, 2]) assert.ok(Math.abs(plain[row * columns + i] - q.data[i]) < 1e-4);
    } finally {
      await engine.close();
      await model.close();
    }
  });
});
