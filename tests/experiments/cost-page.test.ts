/** The page of declared costs, and the table of gates, are the code's. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { it } from "node:test";
import { costPage } from "../../experiments/plan/cost-page.ts";
import { withGateTable } from "../../experiments/plan/gate-table.ts";

const pageOf = (name: string): Promise<string> => readFile(new URL(`../../docs/${name}`, import.meta.url), "utf8");

it("docs/costs.md is what npm run docs:costs writes", async () => {
  assert.equal(await pageOf("costs.md"), costPage());
});

it("docs/smpc.md has the table of gates that npm run docs:costs writes", async () => {
  const page = await pageOf("smpc.md");
  assert.equal(page, withGateTable(page));
  const cut = page.replace(/\| extend \|[^\n]*\n/, "");
  assert.notEqual(cut, page);
  assert.equal(withGateTable(cut), page, "a row that is missing is written");
  assert.throws(() => withGateTable("# Nothing"), /expected a table with the head/);
});
