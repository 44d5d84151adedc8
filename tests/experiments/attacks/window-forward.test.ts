import assert from "node:assert/strict";
import { test } from "node:test";
import { WindowForward } from "../../../experiments/attacks/joint-decode/window-forward.ts";
import type { Model } from "../../../layers/model.ts";
import { onnxEngine } from "../../../layers/onnx/engine.ts";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import { plainForward } from "../../../layers/reference/plain-forward.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { openGolden } from "../../layers/golden-models.ts";
import { randomIds, randomModel } from "../../protocols/cascade/random-model.ts";

/** Rows of the watched places at the layers by the plain model, [layers, places, d]. */
async function plainRows(
  model: Model,
  ids: readonly number[],
  layers: readonly number[],
  positions: readonly number[],
): Promise<number[]> {
  const { hidden } = await plainForward(model, [...ids]);
  const d = model.spec.width;
  return layers.flatMap((layer) =>
    positions.flatMap((at) => Array.from(hidden[layer].data.subarray(at * d, (at + 1) * d))),
  );
}

/** Largest difference between windows run together, and as swaps of a common one, and the plain model. */
async function worst(model: Model, engine: StageEngine, ids: readonly number[], known: number): Promise<number> {
  const window = ids.slice(known);
  // `hidden` counts as transformers does: its last one is normed.
  const layers = [1, 2].filter((layer) => layer < model.spec.layers);
  const places = [window.length - 2, window.length - 1];
  const forward = new WindowForward(engine, layers, "row");
  await forward.extend(ids.slice(0, known));
  forward.watch(places);
  const common = await forward.common(window);
  let largest = 0;
  const hold = async (tokens: readonly number[], rows: ArrayLike<number>): Promise<void> => {
    const plain = await plainRows(
      model,
      [...ids.slice(0, known), ...tokens],
      layers,
      places.map((place) => known + place),
    );
    const size = Math.max(...plain.map(Math.abs));
    plain.forEach((value, i) => (largest = Math.max(largest, Math.abs(rows[i] - value) / size)));
  };
  await hold(window, common.observed);
  for (const place of window.keys()) {
    const tokens = [0, 1, 2].filter((token) => token !== window[place]);
    const swapped = await forward.swaps(common, place, tokens);
    const guesses = tokens.map((token) => window.with(place, token));
    const whole = await forward.rows(guesses);
    for (const [at, guess] of guesses.entries()) {
      await hold(guess, swapped.subarray(at * forward.width, (at + 1) * forward.width));
      await hold(guess, whole.subarray(at * forward.width, (at + 1) * forward.width));
    }
  }
  return largest;
}

test("windows are what the plain model computes, together and as swaps: windows, soft caps, grouped heads, any prefix", async () => {
  for (const [seed, window, softCap] of [
    [1, null, null],
    [2, 3, null],
    [3, 2, 5],
  ] as const) {
    const model = randomModel({ seed, layers: 3, kvHeads: 2, group: 2, headDim: 4, window, softCap, sharpness: 3 });
    const engine = await referenceEngine(model);
    for (const known of [0, 1, 4]) {
      const error = await worst(model, engine, randomIds(seed, 8), known);
      assert.ok(error < 1e-6, `window ${window}, prefix ${known}: expected within 1e-6, got ${error}`);
    }
    await engine.close();
  }
});

test("windows in float32 are what the plain model computes, to rounding", async () => {
  for (const name of ["llama-gqa", "gpt2", "mistral-window"]) {
    const { model, golden } = await openGolden(name);
    const engine = await onnxEngine(model, { threads: 1 });
    const error = await worst(model, engine, [...golden.ids].slice(0, 9), 3);
    assert.ok(error < 1e-4, `${name}: expected within 1e-4, got ${error}`);
    await engine.close();
    await model.close();
  }
});

test("keys and values of a window are the projections of its rows", async () => {
  const model = randomModel({
    seed: 5,
    layers: 3,
    kvHeads: 2,
    group: 2,
    headDim: 4,
    window: null,
    softCap: null,
    sharpness: 1,
  });
  const engine = await referenceEngine(model);
  const ids = randomIds(5, 6);
  const seen = new WindowForward(engine, [1], "kv");
  await seen.extend(ids.slice(0, 2));
  seen.watch([3]);
  const [rows] = [await seen.rows([ids.slice(2)])];
  const { hidden } = await plainForward(model, ids);
  const d = model.spec.width;
  const row = { data: hidden[1].data.slice(5 * d, 6 * d), shape: [1, d] };
  const { k, v } = await engine.pre(1, row, [5]);
  const expected = [...k.data, ...v.data];
  assert.equal(rows.length, expected.length);
  expected.forEach((value, i) => assert.ok(Math.abs(rows[i] - value) < 1e-6));
  await engine.close();
});

test("passes count the tokens that a guess doesn't share", async () => {
  const model = randomModel({
    seed: 4,
    layers: 2,
    kvHeads: 1,
    group: 1,
    headDim: 4,
    window: null,
    softCap: null,
    sharpness: 1,
  });
  const engine = await referenceEngine(model);
  const forward = new WindowForward(engine, [1], "row");
  await forward.extend([1, 2]);
  forward.watch([3]);
  const common = await forward.common([1, 2, 0, 1]);
  assert.equal(forward.passes, 4);
  await forward.swaps(common, 1, [0, 1]);
  assert.equal(forward.passes, 4 + 2 * 3);
  await forward.rows([[1, 1, 1, 1]]);
  assert.equal(forward.passes, 4 + 2 * 3 + 4);
  await engine.close();
});

test("rows that are tokens themselves, and models whose rows see what follows, are refused", async () => {
  const shape = { layers: 1, kvHeads: 1, group: 1, headDim: 4, window: null, softCap: null, sharpness: 1 };
  const decoder = await referenceEngine(randomModel({ seed: 6, ...shape }));
  assert.throws(() => new WindowForward(decoder, [0], "row"), /window: expected rows of layers from 1 on/);
  const encoder = await referenceEngine(randomModel({ seed: 6, causal: false, ...shape }));
  assert.throws(() => new WindowForward(encoder, [1], "row"), /window: expected a causal model/);
  await decoder.close();
  await encoder.close();
});
