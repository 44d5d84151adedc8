/**
 * Tables of a page that are made of records of questions: a comment before each says of what.
 *
 * <!-- answers: FILE by KEY, KEY: MEASURE.FIGURE [/ NUMBER] [(DIGITS|e)], ... -->
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { ExperimentRecord } from "../../experiments/lab/experiment-record.ts";
import { recordsOf } from "../../experiments/lab/record-file.ts";

const RECORDS = path.resolve(import.meta.dirname, "../../experiments/records");
const ANSWERS = /<!-- answers: (\S+) by ([^:]+): (.+?) -->\n+((?:\|.*\n)+)/g;
const COLUMN = /^(\w+)\.(\w+)(?: \/ ([\d.e]+))?(?: \((\d|e)\))?$/;

export interface AnswerTable {
  readonly file: string;
  /** As the page has them, and as the records say: rows without the heading. */
  readonly shown: readonly string[];
  readonly told: readonly string[];
  readonly records: readonly ExperimentRecord[];
}

/** Throws Error for a column that isn't understood. */
export function answerTables(page: string): AnswerTable[] {
  return [...page.matchAll(ANSWERS)].map(([, file, by, columns, table]) => {
    const records = recordsOf(readFileSync(path.join(RECORDS, file), "utf8"));
    const keys = by.split(", ");
    const places = new Map<string, ExperimentRecord[]>();
    for (const record of records) {
      const place = keys.map((key) => String(valueOf(record, key))).join(" | ");
      places.set(place, [...(places.get(place) ?? []), record]);
    }
    const told = [...places].map(
      ([place, of]) => `| ${[place, ...columns.split(", ").map((column) => cell(of, column))].join(" | ")} |`,
    );
    return { file, records, told, shown: table.trimEnd().split("\n").slice(2) };
  });
}

const valueOf = ({ cell: { setting, network }, workload }: ExperimentRecord, key: string): unknown =>
  key === "tokens" ? workload.tokens : (({ ...setting, ...network } as Record<string, unknown>)[key] ?? "-");

function cell(records: readonly ExperimentRecord[], column: string): string {
  const parsed = COLUMN.exec(column);
  if (parsed === null) throw new Error(`answers: expected MEASURE.FIGURE, got ${column}`);
  const [, measure, name, unit = "1", digits] = parsed;
  const figure = records.find((record) => record.cell.measure === measure)?.figures[name];
  const value = typeof figure === "object" && figure !== null ? figure.mean : figure;
  if (typeof value !== "number") return value === null || value === undefined ? "-" : String(value);
  const scaled = value / Number(unit);
  return digits === undefined
    ? String(scaled)
    : digits === "e"
      ? scaled.toExponential(1)
      : scaled.toFixed(Number(digits));
}
