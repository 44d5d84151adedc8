/** The leak model against every committed record: positions, passes, and each difference in the page that explains it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, describe, it } from "node:test";
import { comparedWith, RULES_OF, type Compared } from "../../../experiments/plan/leak/against-records.ts";
import { agrees, comparisonTable } from "../../../experiments/plan/leak/comparison-page.ts";
import { committedRecords } from "../../../experiments/report/committed-records.ts";
import { readRecords } from "../../../experiments/report/read-records.ts";
import { openModel } from "../../../layers/model.ts";
import { parseRunConfig } from "../../../protocols/fusion/config/run-config.ts";
import { DEFAULT_MODEL } from "../../../protocols/fusion/deployment/open-deployment.ts";

const PAGE = readFileSync(path.resolve(import.meta.dirname, "../../../docs/leak-model.md"), "utf8");

describe("the leak model's positions and passes", async () => {
  const model = await openModel(DEFAULT_MODEL);
  after(() => model.close());
  const { cells } = await readRecords(await committedRecords());
  const compared = cells.flatMap((record) => comparedWith(record, model) ?? []);
  const keyOf = ({ record: { experiment, cell } }: Compared): string => {
    const { alpha, c } = parseRunConfig(cell.setting);
    return `| ${experiment} | ${alpha}, ${c} | ${cell.layer}, ${cell.coalition.join(" ")} | `;
  };
  const explained = PAGE.split("\n").filter((line) => /^\| [a-z0-9-]+ \| \d+, \d+ \| /.test(line));

  it("are compared with every record of an attack that uses rules", () => {
    const those = cells.filter(
      ({ attack, model: name, void: why }) => attack in RULES_OF && name === model.name && why === null,
    );
    assert.equal(compared.length, those.length);
    assert.ok(compared.length >= 50);
  });

  it("stand in the page as the command prints them", () => {
    assert.ok(PAGE.includes(comparisonTable(compared)));
  });

  it("agree with the records, but where the page says why not", () => {
    for (const one of compared) {
      const { positions, passes } = agrees(one);
      if (positions && passes) continue;
      const [row] = explained.filter((line) => line.startsWith(keyOf(one)));
      assert.ok(row !== undefined, `not explained: ${keyOf(one)} ${JSON.stringify([positions, passes])}`);
      if (!passes) assert.match(row, /passes/);
      if (!positions)
        assert.ok(row.includes(`${one.predicted} positions by the rules, ${one.recovered.toFixed(1)} recovered`), row);
    }
  });

  it("are explained nowhere that no record differs", () => {
    const differing = compared.filter((one) => !agrees(one).positions || !agrees(one).passes).map(keyOf);
    for (const line of explained)
      assert.ok(
        differing.some((key) => line.startsWith(key)),
        line,
      );
    assert.equal(explained.length, differing.length);
  });

  it("are wrong on purpose where a rule is taken away", () => {
    const record = compared.find((one) => one.record.experiment === "rank-match")!.record;
    const other = comparedWith({ ...record, attack: "vocab-match" }, model)!;
    assert.equal(agrees(other).positions, false);
  });
});
