/** All cells of a question: those that the file holds aren't run again, so that a run that was cut goes on. */
import { createHash } from "node:crypto";
import { cpus } from "node:os";
import { codeVersion } from "./code-version.ts";
import type { ExperimentRecord } from "./experiment-record.ts";
import { SharedLab } from "./lab.ts";
import type { Measures } from "./measure.ts";
import type { OpenedQuestion } from "./question.ts";
import { questionCells, type QuestionCell } from "./question-cells.ts";
import { RecordFile } from "./record-file.ts";

export interface QuestionRun {
  readonly measures: Measures;
  /** NDJSON file that records are added to and finished cells are read from; null: neither. */
  readonly out: string | null;
  /** Only this cell; null: all. */
  readonly index: number | null;
  /** Cells that are run at once, each by `elsewhere`; 1: one after the other, here. */
  readonly jobs: number;
  /** Runs one cell in a process of its own. */
  readonly elsewhere: (index: number) => Promise<ExperimentRecord>;
  readonly report: (doing: string) => void;
}

/**
 * Runs what `out` doesn't hold yet, and gives the records of all cells in their order. Throws Error naming what is wrong with the question
 * or its files; cells that are finished by then are in `out`.
 */
export async function runQuestion(opened: OpenedQuestion, run: QuestionRun): Promise<ExperimentRecord[]> {
  const all = questionCells(opened.question, run.measures);
  const { index, out, jobs, report } = run;
  if (index !== null && index >= all.length)
    throw new Error(
      `index: expected at most ${all.length - 1}, as question ${opened.question.id} has ${all.length} cells, got ${index}`,
    );
  const cells = index === null ? all : [all[index]];
  const lab = await SharedLab.open(opened, report);
  const file = out === null ? null : await RecordFile.open(out);
  const records = new Map<string, ExperimentRecord>(file?.records);
  const open = cells.filter((cell) => !records.has(cellKey(lab, cell)));
  const startedAt = performance.now();
  let done = 0;
  const finish = async (record: ExperimentRecord): Promise<void> => {
    records.set(record.key, record);
    await file?.add(record);
    done++;
  };
  const told = (cell: QuestionCell): string => {
    const left =
      done === 0 ? "" : `, about ${timeText(((performance.now() - startedAt) / done) * (open.length - done))} left`;
    return `cell ${cell.index + 1} of ${all.length} (${done} of ${open.length} done${left}): ${cell.measure.name}`;
  };
  const queue = open.values();
  const worker = async (): Promise<void> => {
    for (const cell of queue) {
      report(told(cell));
      await finish(
        jobs > 1
          ? await run.elsewhere(cell.index)
          : await runCell(lab, cell, (doing) => report(`${told(cell)}: ${doing}`)),
      );
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  return cells.map((cell) => records.get(cellKey(lab, cell))!);
}

/** Runs one cell. */
async function runCell(lab: SharedLab, cell: QuestionCell, report: (doing: string) => void): Promise<ExperimentRecord> {
  const { question } = lab.opened;
  const { publicTokens, newTokens } = question.workload;
  const { tokens } = cell;
  const startedAt = new Date();
  const measured = await cell.measure.run(lab.of(cell, report), cell.options);
  return {
    version: 1,
    question: question.id,
    key: cellKey(lab, cell),
    cell: { setting: cell.setting, network: cell.network, measure: cell.measure.name, options: cell.options },
    model: lab.model,
    workload: {
      prompts: lab.prompts(tokens).length,
      tokens,
      publicTokens,
      newTokens,
      promptsHash: lab.promptsHash(tokens),
    },
    repeats: question.repeats,
    seed: question.seed,
    source: measured.source,
    figures: measured.figures,
    verdict: measured.verdict ?? null,
    void: measured.void ?? null,
    run: {
      ...codeVersion(),
      startedAt: startedAt.toISOString(),
      seconds: (Date.now() - startedAt.getTime()) / 1000,
      node: process.version,
      cpu: cpus()[0]?.model ?? "unknown",
    },
  };
}

/** Hash of all that a cell's figures depend on: two questions share cells. */
export function cellKey(lab: SharedLab, { config, tokens, network, measure, options }: QuestionCell): string {
  const { repeats, seed, workload } = lab.opened.question;
  const { model: _path, ...setting } = config;
  const on = {
    model: lab.model.fingerprint,
    promptsHash: lab.promptsHash(tokens),
    newTokens: workload.newTokens,
    repeats,
    seed,
  };
  const what = { ...on, setting, network, measure: measure.name, version: measure.version, options };
  return createHash("sha256").update(JSON.stringify(what)).digest("hex").slice(0, 24);
}

/** "40 s", "12 min". */
export const timeText = (milliseconds: number): string =>
  milliseconds < 90_000 ? `${Math.ceil(milliseconds / 1000)} s` : `${Math.round(milliseconds / 60_000)} min`;
