/** The report: contents that lead to headings in words, budget curves, sorting, and the verdicts as Markdown and CSV. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { csvParse } from "d3-dsv";
import { parseHTML } from "linkedom";
import { committedRecords } from "../../../experiments/report/committed-records.ts";
import { reportOfFiles } from "../../../experiments/report/report-of-files.ts";
import { settingText, spaced } from "../../../experiments/report/setting-text.ts";

describe("the report of the committed records", async () => {
  const files = await committedRecords();
  const { text } = await reportOfFiles(files, ".html");
  const { document } = parseHTML(text);

  it("has contents whose every entry leads to a heading of the same words", () => {
    const links = [...document.querySelectorAll("nav a")];
    assert.ok(links.length > 20);
    for (const link of links) {
      const target = document.getElementById(link.getAttribute("href")!.slice(1));
      assert.ok(target, link.textContent);
      assert.equal(target.textContent, link.textContent);
    }
    const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
    assert.equal(new Set(ids).size, ids.length, "an id that two elements have");
  });

  it("calls experiments by their questions, not by hashes", () => {
    const headings = [...document.querySelectorAll("h2")].map(({ textContent }) => textContent);
    assert.ok(headings.filter((heading) => heading.endsWith("?")).length > 30);
    assert.deepEqual(
      headings.filter((heading) => /[0-9a-f]{16}/.test(heading)),
      [],
    );
    assert.ok(headings.includes("Which smallest coalition recovers 90 % of the tokens of a setting?"));
  });

  it("draws what joint decoding costs, a line a cell that has budget figures", () => {
    const plot = document.getElementById("budgets")!.parentElement!.querySelector("#budgets ~ .plot")!;
    const lines = plot.querySelectorAll("g[aria-label=line] path");
    const { cells } = countedCells(text);
    assert.equal(lines.length, cells);
  });

  it("can be read on a phone and in the dark, and a heading of each record column sorts", () => {
    assert.match(text, /<meta name="viewport"/);
    assert.match(text, /prefers-color-scheme: dark/);
    for (const table of document.querySelectorAll("table.records")) {
      const headings = [...table.querySelectorAll("tr:first-child th")];
      assert.ok(headings.every((heading) => heading.querySelector("button") !== null));
    }
  });

  it("gives the same verdicts as CSV and Markdown", async () => {
    const rows = csvParse((await reportOfFiles(files, ".csv")).text);
    const shown = [...document.querySelectorAll("table.verdicts tr:has(.verdict)")].map((row) => {
      const record = row.querySelector("td.record")!.textContent.replace(/(:\d+)$/, ".ndjson$1");
      return `${row.querySelector(".verdict")!.textContent} ${record}`;
    });
    assert.deepEqual(rows.map(({ verdict, record }) => `${verdict} ${record}`).sort(), shown.sort());
    const markdown = (await reportOfFiles(files, ".md")).text.split("\n").filter((line) => line.startsWith("| "));
    assert.equal(markdown.length, rows.length + 2);
    const columns = markdown.map((line) => line.split(" | ").length);
    assert.deepEqual([...new Set(columns)], [columns[0]]);
  });
});

/** Names in the legend of the budget plot. */
function countedCells(text: string): { cells: number } {
  const part = text.slice(text.indexOf('id="budgets"'), text.indexOf('id="records"'));
  return { cells: new Set([...part.matchAll(/alpha [^<]*layer \d+ · [^<]*/g)].map(([name]) => name)).size };
}

describe("settings in words", () => {
  it("say layers on shares as a reader would", () => {
    assert.equal(settingText("smpcLayers", "none"), "no layer on shares");
    assert.equal(settingText("smpcLayers", "first:1"), "first layer on shares");
    assert.equal(settingText("smpcLayers", "first:4"), "first 4 layers on shares");
    assert.equal(settingText("smpcLayers", "0,7"), "layers 0,7 on shares");
    assert.equal(settingText("alpha", 8), "alpha 8");
    assert.equal(settingText("wire", undefined), "");
    assert.equal(spaced("best.top1"), "best, top1");
    assert.equal(spaced("hiddenAccuracy"), "hidden accuracy");
  });
});
