/** A file of records: lines are added, a line that was cut is passed over. */
import { appendFile, mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { fileError } from "../../layers/file-error.ts";
import { experimentRecord, type ExperimentRecord } from "./experiment-record.ts";

export class RecordFile {
  readonly #file: string;
  /** By key; void ones aren't kept, so that they run again. */
  readonly records: ReadonlyMap<string, ExperimentRecord>;

  private constructor(file: string, records: ReadonlyMap<string, ExperimentRecord>) {
    this.#file = file;
    this.records = records;
  }

  /** Reads what is there; a file that isn't is empty. Throws Error naming a file that can't be read or written. */
  static async open(file: string): Promise<RecordFile> {
    let text = "";
    try {
      text = await readFile(file, "utf8");
      // A run that was killed may have left half a line: what follows must not join it.
      if (text !== "" && !text.endsWith("\n")) await appendFile(file, "\n");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT")
        throw fileError(`out ${file}`, "a file that can be read and written", error);
    }
    return new RecordFile(
      file,
      new Map(recordsOf(text).flatMap((record) => (record.void === null ? [[record.key, record]] : []))),
    );
  }

  /** Adds a record. Throws Error naming the file where it can't be written. */
  async add(record: ExperimentRecord): Promise<void> {
    try {
      await mkdir(path.dirname(this.#file), { recursive: true });
      await appendFile(this.#file, `${JSON.stringify(record)}\n`);
    } catch (error) {
      throw fileError(`out ${this.#file}`, "a file that can be written", error);
    }
  }
}

/** The whole lines of a file that are records. */
export function recordsOf(text: string): ExperimentRecord[] {
  return text.split("\n").flatMap((line) => {
    const parsed = experimentRecord.safeParse(parsedLine(line));
    return parsed.success ? [parsed.data] : [];
  });
}

function parsedLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
