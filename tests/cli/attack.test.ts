/** `weir attack` and `weir report` as a user starts them: records that repeat and resume, controls that void, mistakes in words. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, it } from "node:test";
import { readRecords } from "../../experiments/report/read-records.ts";
import { readAttackConfig, type AttackConfig } from "../../experiments/attacks/run/attack-config.ts";
import { cellRecord, repeatable, type CellRecord } from "../../experiments/attacks/run/cell-record.ts";
import { runExperiment } from "../../experiments/attacks/run/run-experiment.ts";
import { scratchFolder } from "../layers/scratch-folder.ts";
import { weir } from "./weir-command.ts";

const CONFIGS = path.resolve(import.meta.dirname, "../../experiments/attacks/configs");
const SMOKE = path.join(CONFIGS, "smoke.json");

describe("weir attack", async () => {
  const scratch = await scratchFolder();
  const smoke = await readAttackConfig(SMOKE);
  const cells = (stdout: string) =>
    stdout
      .trim()
      .split("\n")
      .map((line) => cellRecord.parse(JSON.parse(line)));
  /** What the command does with a config, in this process. */
  const run = (config: AttackConfig, out: string | null = null): Promise<CellRecord[]> =>
    runExperiment(config, { folder: CONFIGS, out, report: () => {} });

  it("records every cell, repeats by seed, resumes from its file, and reports", async () => {
    const out = path.join(scratch.path, "cells.ndjson");
    const first = await weir("attack", SMOKE, "--json", "--out", out);
    assert.equal(first.code, 0, first.stderr);
    const [one, both] = cells(first.stdout);
    assert.equal(one.verdict, "no leak found");
    assert.equal(both.verdict, "breaks");
    assert.equal(both.scores.hiddenAccuracy?.mean, 1);
    assert.ok(one.controls.positive.passed && one.controls.negative.passed);

    // One line is lost: that cell alone runs again, and gives the same.
    const lines = (await readFile(out, "utf8")).trim().split("\n");
    const cut = await scratch.write("cut.ndjson", `${lines[0]}\n${lines[1].slice(0, 40)}\n`);
    const [kept, again] = await run(smoke, cut);
    assert.deepEqual(kept, one);
    assert.deepEqual(repeatable(again), repeatable(both));

    const page = path.join(scratch.path, "report.html");
    const report = await weir("report", out, "--out", page);
    assert.match(report.stdout, /2 cells and 0 rows of studies/);
    const html = await readFile(page, "utf8");
    assert.match(html, /<svg/);
    assert.match(html, /no leak found/);
  });

  it("ends with 1 and says VOID where a control fails", async () => {
    const { positive } = smoke.controls;
    const unreachable = {
      ...smoke,
      prompts: { ...smoke.prompts, file: path.join(CONFIGS, smoke.prompts.file), count: 1, tokens: 4 },
      training: { file: path.join(CONFIGS, smoke.training.file) },
      grid: { ...smoke.grid, coalitions: [["smpc.0"]] },
      controls: { ...smoke.controls, positive: { ...positive, coalition: ["smpc.0"] } },
    };
    const file = await scratch.write("void.json", JSON.stringify(unreachable));
    const { code, stdout, stderr } = await weir("attack", file, "--json");
    assert.equal(code, 1);
    assert.equal(cells(stdout)[0].verdict, "void");
    assert.match(stderr, /VOID: .*positive control: got 0\.000/);
  });

  it("names what is wrong with a config, without a stack", async () => {
    const wrong = await scratch.write("wrong.json", JSON.stringify({ ...smoke, question: 3 }));
    const { code, stderr } = await weir("attack", wrong);
    assert.equal(code, 1);
    assert.match(stderr, /wrong\.json: question: expected text, got 3/);
    assert.doesNotMatch(stderr, /\n\s+at /);
    const unknownKey = await scratch.write("unknown-key.json", JSON.stringify({ ...smoke, speed: 1 }));
    await assert.rejects(readAttackConfig(unknownKey), /expected known keys only, got "speed"/);
    await assert.rejects(readAttackConfig(path.join(scratch.path, "none.json")), /none\.json: expected a JSON file/);
    const records = await scratch.write("other.ndjson", '{"a":1}\n');
    await assert.rejects(readRecords([records]), /other\.ndjson:1: expected a record of the attack lab/);
  });

  it("names the file that records can't be added to", async () => {
    await assert.rejects(
      run(smoke, scratch.path),
      /^Error: out .*: expected a file that can be read and written, got EISDIR$/,
    );
  });

  it("names an attack, a file or a party that isn't there, and how to make the training text", async () => {
    const { prompts, training, grid } = smoke;
    await assert.rejects(
      run({ ...smoke, attack: { name: "guess", options: {} } }),
      /^Error: attack: expected one of .*share-words.*, got guess$/,
    );
    await assert.rejects(
      run({ ...smoke, attack: { name: "rank-mach", options: {} } }),
      /^Error: attack: expected one of .*, got rank-mach; did you mean rank-match\?$/,
    );
    await assert.rejects(
      run({ ...smoke, prompts: { ...prompts, file: "nowhere.txt" } }),
      /^Error: prompts .*nowhere\.txt: expected a file that can be read, got ENOENT$/,
    );
    await assert.rejects(
      run({ ...smoke, prompts: { ...prompts, skip: 119, count: 2 } }),
      /^Error: prompts .*heldout\.txt: expected 121 texts of 8 tokens, got 120$/,
    );
    const built = { ...training, file: "../../../models/recipe/build/nowhere.jsonl" };
    await assert.rejects(
      run({ ...smoke, training: built }),
      /^Error: training .*nowhere\.jsonl: .*, got ENOENT; make it in models\/recipe: npm install && python data\.py$/,
    );
    await assert.rejects(
      run({ ...smoke, grid: { ...grid, coalitions: [["smpc.2"]] } }),
      /^Error: coalition: expected parties of the session \(.*smpc\.1.*\), got smpc\.2$/,
    );
  });
});
