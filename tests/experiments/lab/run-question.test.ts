/** A question that is run: resume after a kill, half lines, processes side by side, one cell alone. Real runs of the command. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { repeatable, type ExperimentRecord } from "../../../experiments/lab/experiment-record.ts";
import { recordsOf } from "../../../experiments/lab/record-file.ts";

const ROOT = path.resolve(import.meta.dirname, "../../..");
const CELLS = 6;

/** Runs `weir experiment run`; killed once `killAfter` records stand in the file. */
async function weir(
  args: readonly string[],
  killAfter?: { file: string; records: number },
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [path.join(ROOT, "cli/weir.mjs"), "experiment", "run", ...args], { cwd: ROOT });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (data: Buffer) => (stdout += data.toString()));
  child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  if (killAfter !== undefined) await killedAfter(child, killAfter);
  return { code: await ended, stdout, stderr };
}

async function killedAfter(child: ChildProcess, { file, records }: { file: string; records: number }): Promise<void> {
  while (child.exitCode === null) {
    const written = await readFile(file, "utf8").catch(() => "");
    if (recordsOf(written).length >= records) {
      child.kill("SIGKILL");
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const sorted = (records: readonly ExperimentRecord[]): unknown[] =>
  records.map(repeatable).toSorted((a, b) => a.key.localeCompare(b.key));

describe("weir experiment run", () => {
  let folder: string;
  let question: string;
  let undisturbed: ExperimentRecord[];
  const at = (name: string): string => path.join(folder, name);
  const held = async (name: string): Promise<ExperimentRecord[]> => recordsOf(await readFile(at(name), "utf8"));

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "weir experiment "));
    question = at("a question.json");
    await writeFile(
      question,
      JSON.stringify({
        version: 1,
        id: "small",
        question: "What does a small prompt cost?",
        workload: { file: path.join(ROOT, "experiments/attacks/texts/heldout.txt"), tokens: 12, newTokens: 2 },
        setting: { c: 1 },
        grid: { alpha: [1, 2, 3] },
        measures: ["cost", "exposure"],
      }),
    );
    const { code, stderr } = await weir([question, "--out", at("undisturbed.ndjson")]);
    assert.equal(code, 0, stderr);
    undisturbed = await held("undisturbed.ndjson");
  });
  after(() => rm(folder, { recursive: true }));

  it("keeps a record a cell, with its setting, hash of prompts and figures, and no prompt", async () => {
    assert.equal(undisturbed.length, CELLS);
    assert.equal(new Set(undisturbed.map(({ key }) => key)).size, CELLS);
    for (const { cell, figures, void: why } of undisturbed) {
      assert.equal(why, null);
      if (cell.measure === "cost") assert.equal(figures.asDeclared, true);
      else assert.equal(figures.isHidden, false);
    }
    const text = (await readFile(path.join(ROOT, "experiments/attacks/texts/heldout.txt"), "utf8")).slice(0, 20);
    assert.ok(!(await readFile(at("undisturbed.ndjson"), "utf8")).includes(text));
  });

  it("killed twice, with half a line left, ends with the records of an undisturbed run", async () => {
    const file = at("killed.ndjson");
    for (const records of [1, 3]) {
      await weir([question, "--out", file], { file, records });
      await writeFile(file, (await readFile(file, "utf8")).replace(/$/, '{"version":1,"quest'));
    }
    const there = (await held("killed.ndjson")).length;
    assert.ok(there >= 3 && there < CELLS, `a run that was cut: ${there}`);
    const { code, stderr } = await weir([question, "--out", file]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(sorted(await held("killed.ndjson")), sorted(undisturbed));
    assert.match((await weir([question, "--out", file, "--json"])).stderr, /^(?!.*cell \d)/s);
    assert.equal((await held("killed.ndjson")).length, CELLS, "nothing runs twice");
  });

  it("in two processes at once gives the same records", async () => {
    const { code, stderr } = await weir([question, "--jobs", "2", "--out", at("jobs.ndjson")]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(sorted(await held("jobs.ndjson")), sorted(undisturbed));
  });

  it("runs one cell alone, and says so where there is none", async () => {
    const { stdout } = await weir([question, "--index", "4", "--json"]);
    assert.deepEqual(recordsOf(stdout).map(repeatable), [repeatable(undisturbed[4])]);
    const { code, stderr } = await weir([question, "--index", String(CELLS)]);
    assert.equal(code, 1);
    assert.match(stderr, /index: expected at most 5, as question small has 6 cells, got 6/);
  });

  it("lists cells without running any", async () => {
    const { stdout, code } = await weir([question, "--list"]);
    assert.equal(code, 0);
    assert.equal(stdout.split("\n").filter((line) => /^\d+ {2}/.test(line)).length, CELLS);
    assert.match(stdout, /6 cells, about \d+ (s|min) on the default model/);
  });
});
