/** Rows whose sum of squares a norm's series doesn't cover are found by their owner; rows within the range never are. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_PRECISION, FINE_PRECISION } from "../../../protocols/smpc/lowering/precision.ts";
import { Simulation } from "../../../protocols/smpc/run/simulation.ts";
import { tinyLayer } from "./tiny-plan.ts";

const ROWS = 8;
/** The first norm of the tiny layer: it takes mean squares of 0.1 to 12, and magnitudes to 15. */
const SITE = "layers.0.norm.0";

for (const [kind, precision, parties] of [
  ["llama", DEFAULT_PRECISION, 2],
  ["llama", FINE_PRECISION, 4],
  ["gpt2", FINE_PRECISION, 2],
  ["gpt2", DEFAULT_PRECISION, 8],
] as const) {
  const layer = tinyLayer(kind, "norm check");
  const plan = layer.plan(ROWS, 0, precision);
  const check = plan.checks.find(({ site }) => site === SITE)!;
  /** How many of the rows fail, all rows with mean squares of `meanSquare` (and means of 0, so that LayerNorm sees the same). */
  const missed = async (meanSquare: number, seed: string): Promise<number> => {
    const x = layer.rows(ROWS, seed);
    const { width } = layer.spec;
    for (let row = 0; row < ROWS; row++) {
      const values = x.subarray(row * width, (row + 1) * width);
      const mean = values.reduce((sum, value) => sum + value, 0) / width;
      values.forEach((value, j) => (values[j] = value - mean));
      const scale = Math.sqrt((meanSquare * width) / values.reduce((sum, value) => sum + value ** 2, 0));
      values.forEach((value, j) => (values[j] = value * scale));
    }
    const { outputs } = await new Simulation(parties, layer.factors).run(plan, { x });
    return outputs[check.output].filter((value) => Math.abs(value - check.expected) > check.tolerance).length;
  };

  const name = `${kind}, ${precision === FINE_PRECISION ? "fine" : "default"}, ${parties} parties`;
  test(`${name}: rows in range pass, to the ends of it`, async () => {
    for (const meanSquare of [0.1, 0.15, 0.5, 1, 4, 8, 12])
      for (let run = 0; run < 3; run++)
        assert.equal(await missed(meanSquare, `${run}`), 0, `mean square ${meanSquare}`);
  });

  test(`${name}: rows out of range are found`, async () => {
    for (const meanSquare of [0.002, 0.01, 0.03, 18, 30, 100, 300]) {
      let found = 0;
      for (let run = 0; run < 3; run++) found += await missed(meanSquare, `${run}`);
      assert.ok(found >= 0.75 * 3 * ROWS, `mean square ${meanSquare}: expected most of ${3 * ROWS} rows, got ${found}`);
    }
  });
}
