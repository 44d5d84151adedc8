/** The widths that docs/smpc.md gives are those that the lowering chooses. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { shapeToPlan } from "../../experiments/plan/planned-model.ts";
import { lowerLayers } from "../../protocols/smpc/lowering/lower-layers.ts";
import { PRECISIONS } from "../../protocols/smpc/lowering/precision.ts";
import { textOf } from "./page-commands.ts";

const ROWS = 128;

it("docs/smpc.md has the widths of a BERT-base layer", async () => {
  const { spec, program, statistics, rangeOf } = await shapeToPlan("bert-base", ROWS);
  const section = textOf("docs/smpc.md").split("### Widths for BERT-base\n")[1].split("\n## ")[0];
  const rows = [...section.matchAll(/^\| ([^|]+?) \| [^|]+ \| ([^|]+?) \| ([^|]+?) \|$/gm)].slice(2);
  const written = (column: 2 | 3): Map<string, number[]> =>
    new Map(rows.map((row) => [row[1], [...row[column].matchAll(/\d+/g)].map(Number)]));
  for (const [precision, column] of [
    ["default", 2],
    ["fine", 3],
  ] as const) {
    const { instructions, values } = lowerLayers({
      spec,
      program,
      statistics,
      ranges: rangeOf,
      from: 0,
      to: 1,
      head: false,
      rows: ROWS,
      past: 0,
      sequenceLimit: ROWS,
      precision: PRECISIONS[precision],
    });
    const opened = instructions.flatMap((instruction) => {
      if (instruction.gate !== "open") return [];
      const info = values[instruction.out];
      return info.kind === "wire" && info.rows * info.columns > 12 * ROWS ? [[info.bits, info.fracBits]] : [];
    });
    const [v, q, k, logits, weights, attended, norm, gelu, secondNorm, ...more] = opened;
    assert.deepEqual(more, [], "expected no other opening of more than a number a row");
    assert.deepEqual(norm, secondNorm);
    assert.equal(q[0], k[0]);
    assert.deepEqual(
      written(column),
      new Map([
        ["queries, keys", [...q, k[1]]],
        ["values", v],
        ["logits", logits],
        ["weights", weights],
        ["attention output", attended],
        ["norm inputs", norm],
        ["GELU's inputs", gelu],
      ]),
      precision,
    );
  }
});
