import assert from "node:assert/strict";
import { test } from "node:test";
import { syntheticLayer, syntheticRanges, trainedWidths } from "../../experiments/bench/synthetic-layer.ts";
import { lowerLayers } from "../../protocols/smpc/lowering/lower-layers.ts";
import { ParameterStatistics } from "../../protocols/smpc/factors/parameter-statistics.ts";
import type { Instruction } from "../../protocols/smpc/plan/instruction.ts";
import type { WireInfo } from "../../protocols/smpc/plan/value.ts";

const ROWS = 128;

for (const shape of ["bert-base", "smollm2"] as const) {
  test(`${shape}: weights are normal(0, 0.02), input rows are layer-normed, both repeat by seed`, () => {
    const layer = syntheticLayer(shape);
    const { data } = layer.parameter("layers.0.q.weight");
    const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
    const deviation = Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length);
    assert.ok(Math.abs(mean) < 2e-4 && Math.abs(deviation - 0.02) < 2e-4, `${mean}, ${deviation}`);
    // A normal sample has 4.55 % beyond two deviations.
    const beyond = data.filter((value) => Math.abs(value) > 2 * deviation).length / data.length;
    assert.ok(Math.abs(beyond - 0.0455) < 3e-3, `${beyond}`);
    assert.ok(layer.parameter("layers.0.norm1.weight").data.every((value) => value === 1));
    const words = (seed: number, part: string): Buffer =>
      Buffer.from(syntheticLayer(shape, seed).parameter(`layers.0.${part}.weight`).data.buffer);
    assert.ok(words(0, "q").equals(Buffer.from(data.buffer)));
    assert.ok(!words(1, "q").equals(Buffer.from(data.buffer)));
    assert.ok(
      !words(0, "v")
        .subarray(0, 64)
        .equals(Buffer.from(data.buffer, 0, 64)),
    );

    const { width } = layer.model.spec;
    const row = layer.input(3).subarray(2 * width);
    assert.ok(Math.abs(row.reduce((a, b) => a + b, 0)) < 1e-9);
    assert.ok(Math.abs(row.reduce((a, b) => a + b * b, 0) / width - 1) < 1e-9);
    assert.throws(() => layer.parameter("layers.1.q.weight"), /expected one of layer 0/);
  });
}

test("widths of trained models give BERT-base the plan that is measured against", async () => {
  const layer = syntheticLayer("bert-base");
  const { spec, program } = layer.model;
  const ranges = await syntheticRanges(layer, ROWS);
  const { instructions, values, sites } = lowerLayers({
    spec,
    program,
    statistics: new ParameterStatistics(layer.parameter),
    ranges: trainedWidths(ranges),
    from: 0,
    to: 1,
    head: false,
    rows: ROWS,
    past: 0,
    sequenceLimit: ROWS,
  });
  const bitsAt = (site: string): number =>
    (values[sites.find((found) => found.site === `layers.0.${site}`)!.value] as WireInfo).bits;
  assert.equal(bitsAt("attended.0"), 14);
  // The design opens 16 bits and takes 20 terms; here a bit more goes online, and 11 terms are dealt.
  const gelu = instructions.find((found) => found.gate === "series" && found.series.name === "gelu(x) - x/2");
  assert.equal(bitsAt("activation.0"), 17);
  assert.equal(gelu?.gate === "series" && gelu.series.harmonics.length, 11);
  for (const norm of ["norm.0", "norm.1"]) assert.ok([19, 20].includes(bitsAt(norm)), `${norm}: ${bitsAt(norm)}`);
  assert.equal(bitsAt("logits.0"), 6 + 10, "a period of 2^6 nats");
  const isExp = ({ gate }: Instruction): boolean => gate === "exp";
  assert.equal(instructions.filter(isExp).length, 4, "three rungs and the weights");
});
