/** The page of declared costs is the code's. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { it } from "node:test";
import { costPage } from "../../experiments/plan/cost-page.ts";

it("docs/costs.md is what npm run docs:costs writes", async () => {
  const page = await readFile(new URL("../../docs/costs.md", import.meta.url), "utf8");
  assert.equal(page, costPage());
});
