/** The write-up's table of costs is one of docs/figures.md's, as it stands there. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { textOf } from "./page-commands.ts";

/** Rows of tables, of the part under a heading where one is named. */
function rowsOf(page: string, heading?: string): string[] {
  const text = textOf(page);
  const part = heading === undefined ? text : text.split(/^#{2,3} /m).find((each) => each.startsWith(`${heading}\n`));
  assert.ok(part !== undefined, `${page}: expected a heading ${heading}`);
  return part.split("\n").filter((line) => line.startsWith("| "));
}

describe("costs in docs/paper.md", () => {
  const costs = rowsOf("docs/paper.md", "What it costs");

  it("stand in docs/figures.md word for word", () => {
    const figures = new Set(rowsOf("docs/figures.md"));
    assert.ok(costs.length > 5);
    assert.deepEqual(
      costs.filter((row) => !figures.has(row)),
      [],
    );
  });
});
