/** Figures of records by the names that anchors use. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { evaluate } from "mathjs";
import { VERDICTS } from "../../../experiments/report/worst-verdicts.ts";
import type { RowChoice } from "./claim-anchor.ts";

const RECORDS = path.resolve(import.meta.dirname, "../../../experiments/attacks/records");

/** A measured number; with the ends of its interval where it has one. */
export interface Figure {
  readonly mean: number;
  readonly low?: number;
  readonly high?: number;
}
/** What a metric comes to: the numbers that a text may state for it, in their order (two of "N of M"). */
export type Stated = readonly Figure[];

type Row = Readonly<Record<string, unknown>>;

/** Rows of record files, flat: keys of settings, figures and scores by their own names. */
export class RecordFigures {
  readonly #folder: string;
  readonly #files = new Map<string, Row[]>();

  constructor(folder = RECORDS) {
    this.#folder = folder;
  }

  /** The rows of a choice. Throws Error where there are none. */
  rows({ file, where }: RowChoice): Row[] {
    const rows = this.#rowsOf(file).filter((row) => [...where].every(([key, value]) => isOf(at(row, key), value)));
    const keys = [...where].map(([key, value]) => `${key}=${value}`).join(" ");
    if (rows.length === 0) throw new Error(`${file}: expected a row with ${keys}, got none`);
    return rows;
  }

  /** What a metric comes to in rows: one for each, of equal ones one. Throws Error naming a metric that a row lacks. */
  stated(rows: readonly Row[], metric: string): Stated[] {
    if (/^(?:sum|min|max)\(.*\) of /.test(metric))
      return [metric.split(/(?<=\)) of /).flatMap((part) => this.stated(rows, part).flat())];
    const [, word, inside] = /^(min|max|sum|count)\((.*)\)$/.exec(metric) ?? [];
    if (word === "count") return [[{ mean: rows.filter((row) => inside === "" || isTrue(inside, row)).length }]];
    if (word !== undefined) {
      const values = rows.flatMap((row) => numbersOf(inside, row).map(({ mean }) => mean));
      const total = word === "sum" ? values.reduce((a, b) => a + b, 0) : Math[word as "min" | "max"](...values);
      return [[{ mean: total }]];
    }
    const all = rows.map((row) => numbersOf(metric, row));
    return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
  }

  /** What rows must have, whether or not a text says it: `verdict == no leak found`. Throws Error naming what they have. */
  hold(rows: readonly Row[], condition: string): void {
    const [name, wanted] = condition.split(" == ");
    for (const row of rows) {
      const value = at(row, name);
      const is = figureOf(value)?.mean ?? value;
      if (String(is) !== wanted) throw new Error(`expected ${condition} of its records, got ${String(is)}`);
    }
  }

  /** How often which verdict stands in rows, the worst first: "2 breaks, 1 leaks". */
  verdicts(rows: readonly Row[]): string {
    const counts = VERDICTS.map((verdict) => [rows.filter((row) => row.verdict === verdict).length, verdict] as const);
    return counts
      .filter(([count]) => count > 0)
      .map(([count, verdict]) => `${count} ${verdict}`)
      .join(", ");
  }

  #rowsOf(file: string): Row[] {
    const known = this.#files.get(file);
    if (known !== undefined) return known;
    const lines = readFileSync(path.join(this.#folder, file), "utf8").split("\n");
    const rows = lines.filter((line) => line.trim() !== "").map((line) => flat(JSON.parse(line) as Row));
    this.#files.set(file, rows);
    return rows;
  }
}

const DEFAULTS: Row = { alpha: 4, c: 2, m: 1, wire: "float32", merge: "plain", smpcLayers: "none", parties: 2 };

function flat(record: Row): Row {
  const { run, setting, figures, cell, scores, ...rest } = record as Record<string, Row>;
  const own = cell === undefined ? setting : { ...DEFAULTS, ...(cell.setting as Row) };
  const coalition = cell === undefined ? {} : { layer: cell.layer, coalition: (cell.coalition as string[]).join("+") };
  const model = rest.model ?? setting?.model ?? "default";
  const called = typeof model === "string" && model !== "default" ? "SmolLM2" : "default";
  return { ...rest, ...run, ...own, ...coalition, ...scores, ...figures, called, setting: own };
}

/** A key without a value: rows that don't have it. _ stands for a space. */
function isOf(value: unknown, wanted: string): boolean {
  if (wanted === "") return value === undefined;
  const text = typeof value === "string" ? value : JSON.stringify(value ?? null);
  return text.replaceAll(" ", "_") === wanted.replaceAll(" ", "_");
}

/** The figures that one metric names in a row. */
function numbersOf(metric: string, row: Row): Stated {
  if (metric.includes(" or ")) {
    const name = metric.split(" or ").find((one) => at(row, one) !== undefined);
    if (name === undefined) throw new Error(`metric ${metric}: expected one of these, got none`);
    return numbersOf(name, row);
  }
  if (metric.includes(" of ")) return metric.split(" of ").flatMap((part) => numbersOf(part, row));
  const isPercent = metric.endsWith(" %");
  const name = isPercent ? metric.slice(0, -2) : metric;
  const figure = figureOf(at(row, name)) ?? expressed(name, row);
  return [isPercent ? scaled(figure, 100) : figure];
}

const at = (row: Row, name: string): unknown =>
  name in row
    ? row[name]
    : name.split(".").reduce<unknown>((inner, key) => (isObject(inner) ? inner[key] : undefined), row);

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

function figureOf(value: unknown): Figure | null {
  if (typeof value === "number") return { mean: value };
  if (Array.isArray(value) && value.length === 3 && value.every((one) => typeof one === "number"))
    return { mean: value[0], low: value[1], high: value[2] };
  return isObject(value) && typeof value.mean === "number" ? (value as unknown as Figure) : null;
}

const scaled = ({ mean, low, high }: Figure, by: number): Figure =>
  low === undefined || high === undefined ? { mean: mean * by } : { mean: mean * by, low: low * by, high: high * by };

/** An expression's value, intervals as their means; of three in brackets mean and ends. Throws Error naming what the row lacks. */
function expressed(expression: string, row: Row): Figure {
  let value: unknown;
  try {
    value = evaluate(expression, means(row) as Record<string, unknown>);
  } catch (error) {
    throw new Error(`metric ${expression}: ${(error as Error).message}`, { cause: error });
  }
  const plain = isObject(value) && "toArray" in value ? (value as unknown as { toArray(): unknown }).toArray() : value;
  const figure = figureOf(plain);
  if (figure === null || !Number.isFinite(figure.mean))
    throw new Error(`metric ${expression}: expected a number, got ${String(value)}`);
  return figure;
}

const isTrue = (condition: string, row: Row): boolean => {
  const [key, value] = condition.split("=");
  return isOf(at(row, key), value);
};

function means(value: unknown): unknown {
  const figure = figureOf(value);
  if (figure !== null) return figure.mean;
  if (!isObject(value) || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.replaceAll("-", "_"), means(inner)]));
}
