/** Records of the attack lab from NDJSON files: cells of experiments, and rows of studies. */
import { z } from "zod";
import { readText } from "../../../layers/read-text.ts";
import { cellRecord, type CellRecord } from "../run/cell-record.ts";

/** A row of a study: figures by name, for what setting, over how many prompts. */
export const studyRecord = z.looseObject({
  study: z.string(),
  setting: z.record(z.string(), z.unknown()),
  figures: z.record(z.string(), z.unknown()),
  n: z.number(),
  seed: z.number(),
});
export type StudyRecord = z.infer<typeof studyRecord>;

export interface Records {
  readonly cells: readonly CellRecord[];
  readonly studies: readonly StudyRecord[];
}

/** Reads files, one after the other. Throws Error naming the file and line of what is neither a cell nor a row of a study. */
export async function readRecords(files: readonly string[]): Promise<Records> {
  const cells: CellRecord[] = [];
  const studies: StudyRecord[] = [];
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
    }
  }
  return { cells, studies };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
