/** Records of the attack lab from NDJSON files: cells of experiments, and rows of studies. */
import path from "node:path";
import { z } from "zod";
import { readText } from "../../layers/read-text.ts";
import { cellRecord, type CellRecord } from "../attacks/run/cell-record.ts";

/** A row of a study: figures by name, for what setting, over how many prompts. */
export const studyRecord = z.looseObject({
  study: z.string(),
  setting: z.record(z.string(), z.unknown()),
  figures: z.record(z.string(), z.unknown()),
  n: z.number(),
  seed: z.number(),
});
export type StudyRecord = z.infer<typeof studyRecord>;

/** Where a record stands: its file's name, and the line from 1. */
export interface RecordPlace {
  readonly file: string;
  readonly line: number;
}

export interface Records {
  readonly cells: readonly CellRecord[];
  readonly studies: readonly StudyRecord[];
  readonly places: ReadonlyMap<CellRecord | StudyRecord, RecordPlace>;
}

/** Reads files, one after the other. Throws Error naming the file and line of what is neither a cell nor a row of a study. */
export async function readRecords(files: readonly string[]): Promise<Records> {
  const cells: CellRecord[] = [];
  const studies: StudyRecord[] = [];
  const places = new Map<CellRecord | StudyRecord, RecordPlace>();
  for (const file of files) {
    const lines = (await readText("records", file)).split("\n");
    for (const [at, line] of lines.entries()) {
      if (line.trim() === "") continue;
      const value = parsed(line);
      const cell = cellRecord.safeParse(value);
      const study = studyRecord.safeParse(value);
      if (cell.success) cells.push(cell.data);
      else if (study.success) studies.push(study.data);
      else throw new Error(`${file}:${at + 1}: expected a record of the attack lab, got ${line.slice(0, 60)}`);
      places.set(cell.success ? cell.data : study.data!, { file: path.basename(file), line: at + 1 });
    }
  }
  return { cells, studies, places };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
