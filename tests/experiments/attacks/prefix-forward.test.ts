import assert from "node:assert/strict";
import test from "node:test";
import { PrefixForward, type Chain } from "../../../experiments/attacks/matching/prefix-forward.ts";
import type { Model } from "../../../layers/model.ts";
import { onnxEngine } from "../../../layers/onnx/engine.ts";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import { plainForward } from "../../../layers/reference/plain-forward.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { maxError, openGolden } from "../../layers/golden-models.ts";
import { randomIds, randomModel } from "../../protocols/cascade/random-model.ts";

/** Rows of the last token of prefix, chain, token at the input of every layer, and logits after it: by the candidates, by the plain model. */
async function compare(model: Model, engine: StageEngine, ids: number[], prefixLength: number): Promise<number> {
  const plain = await plainForward(model, ids);
  const { width, layers, vocabulary } = engine.spec;
  const forward = new PrefixForward(engine);
  await forward.extend(ids.slice(0, Math.floor(prefixLength / 2)));
  await forward.extend(ids.slice(Math.floor(prefixLength / 2), prefixLength));
  let chain: Chain = [];
  for (const id of ids.slice(prefixLength, -1)) {
    const batch = await forward.run([chain, chain], [0, id], layers, true); // a wrong token beside the right one
    chain = [...chain, { batch, row: 1 }];
  }
  const last = ids.length - 1;
  let worst = 0;
  for (let layer = 0; layer < layers; layer++) {
    const { rows } = await forward.run([chain, chain], [1, ids[last]], layer);
    worst = Math.max(worst, maxError(rows.data.slice(width), plain.hidden[layer].data.slice(last * width)));
  }
  const { logits } = await forward.logits(await forward.run([chain], [ids[last]], 1));
  return Math.max(worst, maxError(logits.data, plain.logits!.data.slice(last * vocabulary)));
}

test("candidates are what the plain model computes: windows, soft caps, grouped heads, any chain", async () => {
  for (const [seed, window, softCap] of [
    [1, null, null],
    [2, 3, null],
    [3, 2, 5],
  ] as const) {
    const model = randomModel({
      seed,
      layers: 3,
      kvHeads: 2,
      group: 2,
      headDim: 4,
      window,
      softCap,
      sharpness: 3,
    });
    const engine = await referenceEngine(model);
    const ids = randomIds(seed, 8);
    for (const prefix of [0, 1, 4, 7]) {
      const error = await compare(model, engine, ids, prefix);
      assert.ok(error < 1e-12, `window ${window}, prefix ${prefix}: expected within 1e-12, got ${error}`);
    }
    await engine.close();
  }
});

test("candidates in float32 are what the plain model computes, to rounding", async () => {
  for (const name of ["llama-gqa", "gpt2", "gemma2", "mistral-window"]) {
    const { model, golden } = await openGolden(name);
    const engine = await onnxEngine(model, { threads: 1 });
    const error = await compare(model, engine, [...golden.ids], Math.min(3, golden.ids.length - 2));
    assert.ok(error < 1e-4, `${name}: expected within 1e-4, got ${error}`);
    await engine.close();
    await model.close();
  }
});

test("a candidate token counts once, known tokens not at all", async () => {
  const shape = { layers: 2, kvHeads: 1, group: 1, headDim: 4, causal: true, window: null, softCap: null };
  const engine = await referenceEngine(randomModel({ seed: 4, sharpness: 1, ...shape }));
  const forward = new PrefixForward(engine);
  await forward.extend([1, 2, 3]);
  const batch = await forward.run([[], [], []], [4, 5, 6], 1);
  await forward.logits(batch);
  assert.equal(forward.passes, 3);
  await engine.close();
});

test("an encoder has no prefix whose rows stay as they are", async () => {
  const shape = { layers: 1, kvHeads: 1, group: 1, headDim: 4, causal: false, window: null, softCap: null };
  const engine = await referenceEngine(randomModel({ seed: 5, sharpness: 1, ...shape }));
  assert.throws(() => new PrefixForward(engine), /candidates: expected a causal model/);
  await engine.close();
});
