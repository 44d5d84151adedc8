import { spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { z } from "zod";
import type { ExperimentRecord } from "../experiments/lab/experiment-record.ts";
import { pathText } from "../protocols/fusion/config/path-text.ts";
import { addFlags, readFlags } from "./flags.ts";
import { progress } from "./progress.ts";
import { columnsOf } from "./terminal.ts";

const flags = z.object({
  out: pathText("file")
    .optional()
    .describe("NDJSON file: records are added to it, and cells that it holds aren't run again"),
  index: z.int().min(0).optional().describe("run this cell alone"),
  jobs: z.int().min(1).max(64).default(1).describe("cells at once, each in a process of its own"),
  list: z.boolean().default(false).describe("print the cells and about how long they take, and run none"),
  json: z.boolean().default(false).describe("print the records as JSON, a line a cell, and nothing else"),
});

const WEIR = fileURLToPath(new URL("weir.mjs", import.meta.url));

/** `weir experiment`: questions as configs, answers as records. */
export function addExperiment(program: Command): void {
  const command = program
    .command("experiment")
    .description("Ask a question that stands in a config: what do settings cost, show, take and leak?");
  command
    .command("list")
    .description("List the questions that come with weir, and the measures that questions may name.")
    .action(list);
  const run = command
    .command("run")
    .description("Run the cells of a question, and print or keep their records; exit 1 where a control fails.")
    .argument("<config-file>", "JSON file of the question (experiments/configs has some; weir schema question)")
    .argument(
      "[key=value...]",
      "laid over it: alpha=4,8 varies a setting, workload.tokens=32 sets a number of its own",
    );
  addFlags(run, flags).action(runOne);
}

async function list(): Promise<void> {
  const [{ readyQuestions }, { questionCells }, { MEASURES }] = await Promise.all([
    import("../experiments/lab/ready-questions.ts"),
    import("../experiments/lab/question-cells.ts"),
    import("../experiments/measures/registry.ts"),
  ]);
  const lines = (await readyQuestions()).map(({ file, question }) => {
    const cells = questionCells(question, MEASURES).length;
    return `${path.relative(process.cwd(), file)}\n  ${question.question} ${cells} cells: ${question.measures.map((each) => (typeof each === "string" ? each : each.measure)).join(", ")}.\n`;
  });
  const measures = [...MEASURES.values()].map(({ name, says }) => `  ${name}: ${says}\n`);
  process.stdout.write(`${lines.join("")}\nMeasures:\n${measures.join("")}`);
}

async function runOne(file: string, texts: string[], given: Record<string, unknown>): Promise<void> {
  const { out, index, jobs, list: isList, json } = readFlags(flags, given);
  const [{ readQuestion }, { overridesOf }, { questionCells }, { runQuestion, timeText }, { MEASURES }, table] =
    await Promise.all([
      import("../experiments/lab/question.ts"),
      import("../experiments/lab/overrides.ts"),
      import("../experiments/lab/question-cells.ts"),
      import("../experiments/lab/run-question.ts"),
      import("../experiments/measures/registry.ts"),
      import("./experiment-table.ts"),
    ]);
  const opened = await readQuestion(file, overridesOf(texts));
  const { question } = opened;
  if (isList) {
    const cells = questionCells(question, MEASURES);
    const seconds = cells.map(({ measure }) => measure.seconds(question.workload.count, question.repeats));
    const lines = cells.map(
      (cell, at) =>
        `${cell.index}  ${cell.measure.name}  ${table.settingText(cell)}, ${cell.tokens} tokens  ${timeText(seconds[at] * 1000)}\n`,
    );
    const total = timeText(seconds.reduce((sum, each) => sum + each, 0) * 1000);
    process.stdout.write(
      `${question.question}\n${lines.join("")}${cells.length} cells, about ${total} on the default model\n`,
    );
    return;
  }
  const report = progress(json);
  const records = await runQuestion(opened, {
    measures: MEASURES,
    out: out === undefined ? null : path.resolve(out),
    index: index ?? null,
    jobs,
    elsewhere: (cell) => inProcess([file, ...texts, "--index", String(cell), "--json"]),
    report: report.step,
  }).finally(report.clear);
  if (json) for (const record of records) process.stdout.write(`${JSON.stringify(record)}\n`);
  else process.stdout.write(`${question.question}\n\n${table.experimentTable(records, columnsOf(process.stdout))}\n`);
  if (records.some((record) => record.void !== null)) process.exitCode = 1;
}

/** One cell in a process of this command; its record. Throws Error with what the process said, where it gives none. */
async function inProcess(args: readonly string[]): Promise<ExperimentRecord> {
  const { recordsOf } = await import("../experiments/lab/record-file.ts");
  const child = spawn(process.execPath, [WEIR, "experiment", "run", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
  let said = "";
  child.stderr.on("data", (data: Buffer) => (said = `${said}${data.toString()}`.slice(-1000)));
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) lines.push(line);
  const code = await ended;
  const [record] = recordsOf(lines.join("\n"));
  if (record === undefined)
    throw new Error(`cell: expected a record, got exit code ${code}: ${said.trim().split("\n").at(-1)}`);
  return record;
}
