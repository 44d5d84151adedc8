/** `weir attack` and `weir report` as a user starts them: records that repeat and resume, controls that void, mistakes in words. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, it } from "node:test";
import { cellRecord, repeatable } from "../../experiments/attacks/run/cell-record.ts";
import { scratchFolder } from "../layers/scratch-folder.ts";
import { weir } from "./weir-command.ts";

const CONFIGS = path.resolve(import.meta.dirname, "../../experiments/attacks/configs");
const SMOKE = path.join(CONFIGS, "smoke.json");

describe("weir attack", async () => {
  const scratch = await scratchFolder();
  const cells = (stdout: string) =>
    stdout
      .trim()
      .split("\n")
      .map((line) => cellRecord.parse(JSON.parse(line)));

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
    const second = await weir("attack", SMOKE, "--json", "--out", cut);
    const [kept, again] = cells(second.stdout);
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
    const smoke = JSON.parse(await readFile(SMOKE, "utf8")) as Record<string, Record<string, unknown>>;
    const text = path.join(CONFIGS, "../texts/heldout.txt");
    const training = path.join(CONFIGS, "../../../models/calibration/passages.txt");
    const unreachable = {
      ...smoke,
      prompts: { ...smoke.prompts, file: text, count: 1 },
      training: { file: training },
      grid: { ...smoke.grid, coalitions: [["smpc.0"]] },
      controls: {
        ...smoke.controls,
        positive: { ...(smoke.controls.positive as object), coalition: ["smpc.0"] },
      },
    };
    const file = await scratch.write("void.json", JSON.stringify(unreachable));
    const { code, stdout, stderr } = await weir("attack", file, "--json");
    assert.equal(code, 1);
    assert.equal(cells(stdout)[0].verdict, "void");
    assert.match(stderr, /VOID: .*positive control: got 0\.000/);
  });

  it("names what is wrong with a config, its files and its parties", async () => {
    const smoke = JSON.parse(await readFile(SMOKE, "utf8")) as Record<string, unknown>;
    const refused = async (change: Record<string, unknown>, message: RegExp): Promise<void> => {
      const file = await scratch.write("wrong.json", JSON.stringify({ ...smoke, ...change }));
      const { code, stderr } = await weir("attack", file);
      assert.equal(code, 1);
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /\n\s+at /);
    };
    await refused({ question: 3 }, /wrong\.json: question: expected text, got 3/);
    await refused({ speed: 1 }, /expected known keys only, got "speed"/);
    await refused({ attack: { name: "guess" } }, /attack: expected one of .*share-words.*, got guess/);
    await refused({ prompts: { file: "nowhere.txt", count: 1, tokens: 4 } }, /nowhere\.txt: expected a file .*ENOENT/);
    const missing = await weir("attack", path.join(scratch.path, "none.json"));
    assert.match(missing.stderr, /none\.json: expected a JSON file/);
    const records = await scratch.write("other.ndjson", '{"a":1}\n');
    const report = await weir("report", records, "--out", path.join(scratch.path, "x.html"));
    assert.match(report.stderr, /other\.ndjson:1: expected a record of the attack lab/);
  });
});
