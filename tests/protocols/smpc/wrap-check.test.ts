/** Attention outputs that don't fit their wire: the rows are wrong, and most of them say so; rows that fit never do. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Simulation } from "../../../protocols/smpc/run/simulation.ts";
import { tinyLayer } from "./tiny-plan.ts";

const ROWS = 8;
const RUNS = 8;
/** Difference of a right row from the same one in wider wires: fixed-point errors are below it, a wrapped value far above. */
const WRONG = 0.1;

describe("the check of attention outputs", () => {
  for (const kind of ["gpt2", "llama"] as const) {
    const layer = tinyLayer(kind, "wraps");
    const reaching = (maxAbs: number) =>
      layer.plan(ROWS, 0, undefined, (site) => (site.includes(".attended.") ? maxAbs : 15));
    const [fitting, narrow] = [reaching(4), reaching(4 / 16)];
    const { output, tolerance } = narrow.checks.find(({ site }) => site.includes(".attended."))!;

    for (const parties of [2, 4])
      it(`finds 3 of 4 rows that are out of range and none that isn't (${kind}, ${parties} parties)`, async () => {
        const count = { wrong: 0, found: 0, alarms: 0 };
        for (let run = 0; run < RUNS; run++) {
          const inputs = { x: layer.rows(ROWS, `rows ${run}`) };
          const right = (await new Simulation(parties, layer.factors).run(fitting, inputs)).outputs;
          const cut = (await new Simulation(parties, layer.factors).run(narrow, inputs)).outputs;
          const columns = right.rows.length / ROWS;
          for (let row = 0; row < ROWS; row++) {
            const errors = Array.from({ length: columns }, (_, column) =>
              Math.abs(cut.rows[row * columns + column] - right.rows[row * columns + column]),
            );
            const isFound = Math.abs(cut[output][row]) > tolerance;
            if (Math.max(...errors) > WRONG) {
              count.wrong++;
              if (isFound) count.found++;
            } else if (isFound) count.alarms++;
            if (Math.abs(right[output][row]) > tolerance) count.alarms++;
          }
        }
        assert.equal(count.alarms, 0);
        assert.ok(count.wrong > (ROWS * RUNS) / 2, `expected most rows to be wrong, got ${count.wrong}`);
        // 3 of 4 on average; below half of 32 and more once in 200,000 runs.
        assert.ok(count.found >= count.wrong / 2, `expected most of ${count.wrong} wrong rows, got ${count.found}`);
      });
  }
});
