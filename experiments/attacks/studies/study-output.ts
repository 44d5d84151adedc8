/** Rows of a study, written as they are made; what a file has already isn't done again. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { codeVersion } from "../run/code-version.ts";

/** A row without what the output adds. */
export interface StudyRow {
  readonly study: string;
  readonly setting: Readonly<Record<string, string | number | boolean>>;
  readonly figures: Readonly<Record<string, unknown>>;
  readonly n: number;
  readonly seed: number;
}

export class StudyOutput {
  readonly #file: string | null;
  readonly #done: ReadonlyMap<string, StudyRow>;

  /** `file`: NDJSON to append to; null: standard output. */
  constructor(file: string | null) {
    this.#file = file;
    const lines = file !== null && existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
    const rows = lines.map((line) => JSON.parse(line) as StudyRow);
    this.#done = new Map(rows.map((row) => [keyOf(row), row]));
  }

  has(row: Pick<StudyRow, "study" | "setting" | "seed">): boolean {
    return this.#done.has(keyOf(row));
  }

  /** The row as the file had it; undefined where it didn't. */
  known(row: Pick<StudyRow, "study" | "setting" | "seed">): StudyRow | undefined {
    return this.#done.get(keyOf(row));
  }

  write(row: StudyRow, startedAt: number): void {
    const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
    const run = { ...codeVersion(), seconds, node: process.version, cpu: cpus()[0]?.model ?? "unknown" };
    const line = `${JSON.stringify({ ...row, run })}\n`;
    if (this.#file === null) process.stdout.write(line);
    else appendFileSync(this.#file, line);
  }
}

const keyOf = ({ study, setting, seed }: Pick<StudyRow, "study" | "setting" | "seed">): string =>
  JSON.stringify([study, setting, seed]);
