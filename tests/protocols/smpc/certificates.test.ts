import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { calibrate } from "../../../protocols/smpc/calibration/calibrate.ts";
import { calibrationText } from "../../../protocols/smpc/calibration/calibration-text.ts";
import { observeLayers } from "../../../protocols/smpc/calibration/observe-layers.ts";
import { readableModel } from "../../../protocols/smpc/calibration/readable-model.ts";
import { attendedBound, certificateOf } from "../../../protocols/smpc/certificates/bound-algebra.ts";
import { imageOfInterval, imageOfNormed, interval, productBound } from "../../../protocols/smpc/certificates/bound.ts";
import { certify, preferCertified } from "../../../protocols/smpc/certificates/certify.ts";
import type { ModelRanges, SiteRange } from "../../../protocols/smpc/lowering/ranges.ts";
import { MODEL_NAMES, openGolden } from "../../layers/golden-models.ts";

const [INPUTS, COLUMNS] = [6, 3];
const number = fc.double({ min: -4, max: 4, noNaN: true });
const numbers = (length: number): fc.Arbitrary<Float64Array> =>
  fc.array(number, { minLength: length, maxLength: length }).map((values) => Float64Array.from(values));
const length = (values: Float64Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
const scaled = (values: Float64Array, to: number): Float64Array => values.map((value) => (value / length(values)) * to);
const within = (value: number, low: number, high: number): boolean => value >= low - 1e-9 && value <= high + 1e-9;

/** A normed row: z of length sqrt(INPUTS), summing to 0 where `centred`. */
function normedRow(values: Float64Array, centred: boolean): Float64Array {
  const mean = centred ? values.reduce((a, b) => a + b, 0) / values.length : 0;
  return scaled(
    values.map((value) => value - mean),
    Math.sqrt(INPUTS),
  );
}

test("no normed row leaves the bound of a linear step, and the worst one reaches it", () => {
  const setting = fc.record({
    gain: numbers(INPUTS),
    bias: numbers(INPUTS),
    weight: numbers(INPUTS * COLUMNS),
    outBias: numbers(COLUMNS),
    row: numbers(INPUTS),
    centred: fc.boolean(),
  });
  fc.assert(
    fc.property(setting, ({ gain, bias, weight, outBias, row, centred }) => {
      const x = { z: {}, radius: Math.sqrt(INPUTS), gain, bias, centred };
      const bound = imageOfNormed(x, weight, COLUMNS, outBias);
      const output = (z: Float64Array, j: number): number =>
        z.reduce((sum, value, i) => sum + (gain[i] * value + bias[i]) * weight[i * COLUMNS + j], outBias[j]);
      for (let j = 0; j < COLUMNS; j++) {
        const z = normedRow(row, centred);
        if (z.every(Number.isFinite)) assert.ok(within(output(z, j), bound.low[j], bound.high[j]));
        const worst = normedRow(
          gain.map((g, i) => g * weight[i * COLUMNS + j]),
          centred,
        );
        if (bound.image!.lengths[j] > 1e-6)
          assert.ok(Math.abs(output(worst, j) - bound.high[j]) <= 1e-6 * (1 + Math.abs(bound.high[j])));
      }
    }),
  );
});

test("no row leaves the joint bound of two linear functions of it, and the worst one reaches it", () => {
  fc.assert(
    fc.property(numbers(INPUTS), numbers(INPUTS), numbers(INPUTS), (a, b, row) => {
      fc.pre([a, b, row].every((values) => length(values) > 1e-3));
      const x = {
        z: {},
        radius: Math.sqrt(INPUTS),
        gain: new Float64Array(INPUTS).fill(1),
        bias: null,
        centred: false,
      };
      const [p, q] = [a, b].map((weight) => imageOfNormed(x, weight, 1, null).image);
      const [limit] = productBound(p, q)!;
      const dot = (u: Float64Array, v: Float64Array): number => u.reduce((sum, value, i) => sum + value * v[i], 0);
      const value = (z: Float64Array): number => Math.abs(dot(a, z) * dot(b, z));
      assert.ok(value(scaled(row, x.radius)) <= limit * (1 + 1e-9) + 1e-9);
      const sign = dot(a, b) < 0 ? -1 : 1;
      const worst = scaled(
        scaled(a, 1).map((element, i) => element + sign * scaled(b, 1)[i]),
        x.radius,
      );
      assert.ok(Math.abs(value(worst) - limit) <= 1e-6 * (1 + limit));
    }),
  );
  const shifted = {
    z: {},
    radius: 1,
    vectors: Float64Array.of(1),
    lengths: Float64Array.of(1),
    offset: Float64Array.of(1),
  };
  assert.equal(productBound(shifted, shifted), null, "an offset is not covered");
  assert.equal(productBound({ ...shifted, offset: Float64Array.of(0) }, null), null);
});

test("intervals hold the image of every corner", () => {
  fc.assert(
    fc.property(numbers(2), numbers(2), numbers(2), (a, b, weight) => {
      const [low, high] = [a.map((value, i) => Math.min(value, b[i])), a.map((value, i) => Math.max(value, b[i]))];
      const bound = imageOfInterval(interval(low, high), weight, 1, null);
      const corners = [low[0], high[0]].flatMap((x) => [low[1], high[1]].map((y) => x * weight[0] + y * weight[1]));
      assert.ok(Math.abs(Math.min(...corners) - bound.low[0]) < 1e-9);
      assert.ok(Math.abs(Math.max(...corners) - bound.high[0]) < 1e-9);
    }),
  );
});

test("a head's output is bounded by the values of its own key head", () => {
  const v = interval(Float64Array.of(-1, -2, -3, -4), Float64Array.of(1, 2, 3, 4));
  const { low, high } = attendedBound(v, { heads: 4, kvHeads: 2, headDim: 2 });
  assert.deepEqual([...high], [1, 2, 1, 2, 3, 4, 3, 4]);
  assert.deepEqual([...low], [-1, -2, -1, -2, -3, -4, -3, -4]);
});

for (const name of MODEL_NAMES) {
  test(`${name}: no tokens leave the certificates`, async () => {
    const { model } = await openGolden(name);
    const span = { from: 0, to: model.spec.layers, head: true };
    const observed = await calibrate(model, await calibrationText(model, null), span);
    const certificates = await certify(readableModel(model), span);
    for (const [site, { range, columns }] of certificates) {
      const seen = observed.sites[site];
      assert.ok(seen.maxAbs <= range.maxAbs, `${site}: certified ${range.maxAbs}, observed ${seen.maxAbs}`);
      assert.equal(range.maxAbs, Math.max(...columns));
      if (range.minSquare !== undefined) assert.ok(seen.minSquare! >= range.minSquare, site);
      if (range.maxSquare !== undefined) assert.ok(seen.maxSquare! <= range.maxSquare, site);
    }
    for (let layer = 0; layer < model.spec.layers; layer++)
      for (const kind of ["attended", "activation"])
        assert.ok(certificates.has(`layers.${layer}.${kind}.0`), `layer ${layer} has a certificate of ${kind}`);
    const chosen = preferCertified(observed, certificates);
    assert.deepEqual(Object.keys(chosen.sites), Object.keys(observed.sites));
    await model.close();
  });
}

test("rows of any size and shape stay within certificates that know nothing of the rows", async () => {
  const { model } = await openGolden("qwen2-bias");
  const { width } = model.spec;
  const unknown = interval(new Float64Array(width).fill(-Infinity), new Float64Array(width).fill(Infinity));
  const span = { from: 0, to: 1, head: false };
  const certificates = await certify(readableModel(model), span, unknown);
  assert.ok(certificates.has("layers.0.operand.1") && !certificates.has("layers.0.out.0"));
  // Outliers in one place, in all, tiny rows, equal rows.
  const row = fc.oneof(
    fc.array(fc.double({ min: -1e4, max: 1e4, noNaN: true }), { minLength: width, maxLength: width }),
    fc.tuple(fc.nat(width - 1), fc.double({ min: 1, max: 1e6, noNaN: true })).map(([at, size]) => {
      return Array.from({ length: width }, (_, c) => (c === at ? size : 1e-3));
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 6 }), async (rows) => {
      const batch = { ids: [], lengths: [rows.length], rows: Float64Array.from(rows.flat()) };
      const seen = (await observeLayers(readableModel(model), [batch], span)).ranges();
      for (const [site, { range }] of certificates) assert.ok(seen.get(site)!.maxAbs <= range.maxAbs, site);
    }),
    { numRuns: 40 },
  );
  await model.close();
});

test("a certificate is taken where it costs little, and refused where it is below what was seen", () => {
  const ranges = (kind: string, maxAbs: number, more: Partial<SiteRange> = {}): ModelRanges => ({
    model: "",
    source: "",
    sites: { [`layers.0.${kind}.0`]: { range: "calibrated", maxAbs, ...more } },
  });
  const choose = (kind: string, seen: number, certified: number, more: Partial<SiteRange> = {}): string => {
    const bound = interval(Float64Array.of(-certified), Float64Array.of(certified));
    const { sites } = preferCertified(
      ranges(kind, seen, more),
      new Map([[`layers.0.${kind}.0`, certificateOf(bound)]]),
    );
    return sites[`layers.0.${kind}.0`].range;
  };
  assert.equal(choose("attended", 4, 15), "certified");
  assert.equal(choose("attended", 4, 25), "calibrated");
  // 9 with its margin needs a range of 16, as 15 does; 6 needs 8.
  assert.equal(choose("activation", 9, 15), "certified");
  assert.equal(choose("activation", 6, 15), "calibrated");
  assert.equal(choose("norm", 4, 5, { minSquare: 1, maxSquare: 2 }), "calibrated", "no lower end of the squares");
  assert.throws(
    () => choose("operand", 4, 3),
    /certificate of layers\.0\.operand\.0: expected at least the 4 observed/,
  );
});
