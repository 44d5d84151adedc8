/** The answers of docs/experiments.md are what the committed records of questions say, of the questions as they stand. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { readyQuestions } from "../../experiments/lab/ready-questions.ts";
import { questionCells } from "../../experiments/lab/question-cells.ts";
import { MEASURES } from "../../experiments/measures/registry.ts";
import { answerTables } from "./answer-rows.ts";
import { textOf } from "./page-commands.ts";

const RECORDS = path.resolve(import.meta.dirname, "../../experiments/records");

describe("answers in docs/experiments.md", async () => {
  const tables = answerTables(textOf("docs/experiments.md"));
  const questions = new Map((await readyQuestions()).map(({ question }) => [question.id, question]));

  it("stand there for every file of records", () => {
    assert.deepEqual([...new Set(tables.map(({ file }) => file))].sort(), readdirSync(RECORDS).sort());
  });

  for (const { file, shown, told, records } of tables) {
    it(`of ${file} are what its records say`, () => assert.deepEqual(shown, told));

    it(`of ${file} come from commits, and of cells that its question has`, () => {
      const question = questions.get(path.basename(file, ".ndjson"))!;
      const cells = questionCells(question, MEASURES).map(({ setting, tokens, measure, network }) =>
        JSON.stringify([setting, tokens, measure.name, network]),
      );
      for (const { cell, workload, run, void: why } of records) {
        assert.ok(cells.includes(JSON.stringify([cell.setting, workload.tokens, cell.measure, cell.network])));
        assert.equal(run.dirty, false);
        assert.equal(why, null);
      }
    });
  }
});
