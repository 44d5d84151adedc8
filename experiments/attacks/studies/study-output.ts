/** Results of a study, written as they are made; what a file has already isn't done again. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { codeVersion } from "../../lab/code-version.ts";

/** One setting of a study: a line of its record, without what the output adds. */
export interface StudyResult {
  readonly study: string;
  readonly setting: Readonly<Record<string, string | number | boolean>>;
  readonly figures: Readonly<Record<string, unknown>>;
  readonly n: number;
  readonly seed: number;
}

export class StudyOutput {
  readonly #file: string | null;
  readonly #done: ReadonlyMap<string, StudyResult>;

  /** `file`: NDJSON to append to; null: standard output. */
  constructor(file: string | null) {
    this.#file = file;
    const lines = file !== null && existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
    const results = lines.map((line) => JSON.parse(line) as StudyResult);
    this.#done = new Map(results.map((result) => [keyOf(result), result]));
  }

  has(result: Pick<StudyResult, "study" | "setting" | "seed">): boolean {
    return this.#done.has(keyOf(result));
  }

  /** The result as the file had it; undefined where it didn't. */
  written(result: Pick<StudyResult, "study" | "setting" | "seed">): StudyResult | undefined {
    return this.#done.get(keyOf(result));
  }

  write(result: StudyResult, startedAt: number): void {
    const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
    const run = { ...codeVersion(), seconds, node: process.version, cpu: cpus()[0]?.model ?? "unknown" };
    const line = `${JSON.stringify({ ...result, run })}\n`;
    if (this.#file === null) process.stdout.write(line);
    else appendFileSync(this.#file, line);
  }
}

const keyOf = ({ study, setting, seed }: Pick<StudyResult, "study" | "setting" | "seed">): string =>
  JSON.stringify([study, setting, seed]);
