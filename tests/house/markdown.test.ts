/** Pages render: their tables have headers, their links lead somewhere, and each rule finds a fault that is planted. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { brokenLinks, brokenTables, headingsOf } from "./markdown-rules.ts";
import { SOURCES, type Sources } from "./sources.ts";

const page = (...lines: string[]): Sources =>
  new Map([
    ["docs/a.md", lines.join("\n")],
    ["docs/b.md", "# B\n\n## One two: `three`, (four)\n\n## One\n\n## One\n"],
    ["layers/model.ts", ""],
  ]);

describe("pages", () => {
  it("have tables that render", () => {
    assert.deepEqual(brokenTables(SOURCES), []);
    const [head, rule, row] = ["| a | b |", "| --- | ---: |", "| 1 | `x\\|y` |"];
    assert.deepEqual(brokenTables(page("text", "", head, rule, row, "", "text")), []);
    assert.deepEqual(brokenTables(page("```", row, "```")), []);
    for (const lines of [
      ["", row],
      ["", head, rule, row, "", row],
      ["", head, row, row],
      ["text", head, rule, row],
      ["", head, rule, "| 1 |"],
      ["", head, rule, "| 1 | 2 | 3 |"],
      ["", head, "| --- |", row],
    ])
      assert.equal(brokenTables(page(...lines)).length, 1, lines.join("\n"));
  });

  it("have links and anchors that lead somewhere", () => {
    assert.deepEqual(brokenLinks(SOURCES), []);
    for (const link of [
      "b.md",
      "../layers/model.ts",
      "../layers",
      "b.md#one-two-three-four",
      "b.md#one-1",
      "#a-b",
      "https://x.org/a.md",
    ])
      assert.deepEqual(brokenLinks(page("# A b", "", `see [it](${link})`)), [], link);
    for (const link of ["c.md", "../layers/models.ts", "b.md#two", "b.md#one-2", "#b", "/docs/b.md"])
      assert.equal(brokenLinks(page("# A b", "", `see [it](${link})`)).length, 1, link);
  });

  it("have the headings that are outside of code", () =>
    assert.deepEqual(headingsOf("# A\n\n```sh\n# not\n```\n\n### B c\n"), ["A", "B c"]));
});
