import assert from "node:assert/strict";
import { test } from "node:test";
import { plainForward } from "../../../layers/reference/plain-forward.ts";
import { calibrate } from "../../../protocols/smpc/calibration/calibrate.ts";
import { openGolden } from "../../layers/golden-models.ts";

test("behind a public prefix the rows of an opening are not observed, nor is row 0, and all others are", async () => {
  const { model, golden } = await openGolden("llama-gqa");
  const { spec } = model;
  const span = { from: 0, to: spec.layers, head: false };
  const [opening, ids] = [4, golden.ids.slice(0, 12)];
  const { hidden } = await plainForward(model, ids);
  const largest = (layer: number, from: number): number =>
    hidden[layer].data.slice(from * spec.width).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (const [openings, from] of [
    [[opening], opening],
    [[0], 1],
    [undefined, 1],
  ] as const) {
    const text = { source: "test", sequences: [ids], ...(openings === undefined ? {} : { openings }) };
    const { sites, source } = await calibrate(model, text, span, undefined, "public");
    assert.match(source, /rows behind public ones$/);
    for (let layer = 0; layer < spec.layers; layer++) {
      const observed = sites[`layers.${layer}.norm.0`].maxAbs;
      assert.ok(Math.abs(observed / largest(layer, from) - 1) < 1e-4, `layer ${layer}, from ${from}: ${observed}`);
    }
  }
  await assert.rejects(
    calibrate(model, { source: "test", sequences: [ids.slice(0, 4)], openings: [4] }, span, undefined, "public"),
    /calibration text: expected some tokens, got none/,
  );
  await model.close();
});
