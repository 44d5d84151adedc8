/** Tables for terminals: within their width, and whole. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { textTable } from "../../cli/text-table.ts";

const word = fc.stringMatching(/^[a-z0-9,.:-]{1,10}$/);
const cell = fc.array(word, { minLength: 1, maxLength: 6 }).map((words) => words.join(" "));
const table = fc.integer({ min: 1, max: 12 }).chain((columns) => {
  const row = fc.array(cell, { minLength: columns, maxLength: columns });
  return fc.record({ head: row, rows: fc.array(row, { maxLength: 5 }) });
});
const SEED = process.env.FC_SEED ? { seed: Number(process.env.FC_SEED) } : {};

const wordsOf = (texts: readonly string[]): string[] =>
  texts.flatMap((text) => text.split(/ +/)).filter((each) => each !== "");

describe("textTable", () => {
  it("keeps to any width that two columns of long words fit into, and loses no word", () => {
    fc.assert(
      fc.property(table, fc.integer({ min: 26, max: 200 }), ({ head, rows }, width) => {
        const lines = textTable(head, rows, width);
        for (const line of lines) assert.ok(line.length <= width, `${line.length} of ${width}: ${line}`);
        // The first column comes again where columns follow in another table.
        const again = lines.filter((line) => line === "").flatMap(() => [head[0], ...rows.map(([first]) => first)]);
        assert.deepEqual(wordsOf(lines).sort(), wordsOf([...head, ...rows.flat(), ...again]).sort());
      }),
      { numRuns: 300, ...SEED },
    );
  });

  it("is one line a row where there is room", () => {
    assert.deepEqual(
      textTable(
        ["party", "as what"],
        [
          ["comp.0", "row q k v"],
          ["a", ""],
        ],
        100,
      ),
      ["  party   as what", "  comp.0  row q k v", "  a"],
    );
  });

  it("narrows where that makes the fewest lines more, and then parts the columns", () => {
    assert.deepEqual(textTable(["name", "largest cluster"], [["comp.0", "2"]], 20), [
      "  name    largest",
      "          cluster",
      "  comp.0  2",
    ]);
    assert.deepEqual(textTable(["name", "positions", "smallest"], [["comp.0", "0-1", "7"]], 20), [
      "  name    positions",
      "  comp.0  0-1",
      "",
      "  name    smallest",
      "  comp.0  7",
    ]);
  });
});
