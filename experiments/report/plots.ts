/** Plots of records as SVG text. */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import type { CellRecord } from "../attacks/run/cell-record.ts";
import type { StudyRecord } from "./read-records.ts";
import { settingText, spaced } from "./setting-text.ts";
import { verdictMetric } from "./verdict-metric.ts";

const { document } = parseHTML("<html><body></body></html>");
const WIDTH = 760;

/** Places of an x axis that are all labelled. */
const MOST_TICKS = 32;

/** Room of a letter of a cell's name, pixels. */
const LETTER = 5.4;

/** What each cell of an experiment reached on its verdict's metric, beside the prior-only control, with intervals. */
export function cellPlot(cells: readonly CellRecord[]): string {
  const of = verdictMetric(cells);
  const points = cells.flatMap((cell) =>
    (["attack", "prior only"] as const).flatMap((who) => {
      const interval = (who === "attack" ? cell.scores : cell.prior)[of];
      return interval === undefined ? [] : [{ cell: cellName(cell), who, ...interval }];
    }),
  );
  return svg({
    height: 60 + 22 * cells.length,
    marginLeft: 20 + LETTER * Math.max(...cells.map((cell) => cellName(cell).length)),
    x: { domain: [0, 1], label: spaced(of), grid: true },
    y: { label: null, domain: cells.map(cellName) },
    color: { legend: true, domain: ["attack", "prior only"], range: ["var(--attack)", "var(--quiet)"] },
    marks: [
      Plot.ruleY(points, { y: "cell", x1: "low", x2: "high", stroke: "who", strokeOpacity: 0.5, strokeWidth: 3 }),
      Plot.dot(points, { y: "cell", x: "mean", fill: "who", r: 4 }),
    ],
  });
}

/** Which figures of a study's rows are drawn. A name may be a path: "best.top1". */
export interface StudyAxes {
  readonly title: string;
  /** Key of the setting that x is, or the x of each of several figures. */
  readonly x: string | { readonly label: string; readonly figures: Readonly<Record<string, number>> };
  /** The figure that y is; for an x of several figures its label. */
  readonly y: string;
  /** Keys of the setting that tell lines apart. */
  readonly series: readonly string[];
  readonly logarithmic?: boolean;
  /** Settings that are drawn; all where absent. */
  readonly only?: Readonly<Record<string, unknown>>;
}

/** One line a series of a study; null where no row has these figures. */
export function studyPlot(all: readonly StudyRecord[], axes: StudyAxes): string | null {
  const { x, y, series, only = {} } = axes;
  const rows = all.filter(({ setting }) => Object.entries(only).every(([key, value]) => setting[key] === value));
  const named = (row: StudyRecord): string =>
    series
      .map((key) => settingText(key, row.setting[key]))
      .filter((text) => text !== "")
      .join(", ");
  const points = rows
    .flatMap((row) =>
      typeof x === "string"
        ? [{ x: Number(row.setting[x]), ...spread(figureAt(row, y)), series: named(row) }]
        : Object.entries(x.figures).map(([name, at]) => ({
            x: at,
            ...spread(figureAt(row, name)),
            series: named(row),
          })),
    )
    .filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
  if (points.length === 0) return null;
  const places = [...new Set(points.map((point) => point.x))].sort((a, b) => a - b);
  // Whole numbers of nodes, layers or tokens have no ticks between them.
  const isCounted = axes.logarithmic !== true && places.length <= MOST_TICKS && places.every(Number.isInteger);
  return svg({
    height: 340,
    marginLeft: 50,
    x: {
      label: typeof x === "string" ? spaced(x) : x.label,
      grid: true,
      ...(isCounted ? { ticks: places, tickFormat: "d" } : {}),
      ...(axes.logarithmic === true ? { type: "log" as const } : {}),
    },
    y: { label: spaced(y), grid: true, domain: [0, Math.max(1, ...points.map((point) => point.y))] },
    color: { legend: true, scheme: "Tableau10" },
    marks: [
      Plot.ruleX(points, { x: "x", y1: "low", y2: "high", stroke: "series", strokeOpacity: 0.5 }),
      Plot.lineY(points, { x: "x", y: "y", stroke: "series", sort: "x" }),
      Plot.dot(points, { x: "x", y: "y", fill: "series", r: 3 }),
    ],
  });
}

function figureAt({ figures }: StudyRecord, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>(
      (inner, key) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined),
      figures,
    );
}

/** A figure is a number, an interval, or [mean, low, high]. */
function spread(figure: unknown): { y: number; low: number; high: number } {
  const [mean, low, high] = Array.isArray(figure)
    ? figure.map(Number)
    : typeof figure === "object" && figure !== null
      ? ["mean", "low", "high"].map((key) => Number(Reflect.get(figure, key)))
      : [Number(figure ?? NaN)];
  return { y: mean, low: low ?? mean, high: high ?? mean };
}

/** "alpha 4, c 2 · layer 1 · comp.0". */
export function cellName({ cell }: CellRecord): string {
  const setting = Object.entries(cell.setting).map(([key, value]) => settingText(key, value));
  return `${setting.join(", ")} · layer ${cell.layer} · ${cell.coalition.join(" + ")}`;
}

const BUDGET = /^hiddenCertifiedWithin(\d+)$/;

/** Share of the hidden tokens before a party's last row that were proven, by passes a window: a line a cell; null where no cell has such figures. */
export function budgetPlot(cells: readonly CellRecord[]): string | null {
  const points = cells.flatMap((cell) =>
    Object.entries(cell.figures).flatMap(([name, proven]) => {
      const [, passes] = BUDGET.exec(name) ?? [];
      return passes === undefined
        ? []
        : [{ cell: cellName(cell), passes: Number(passes), share: proven / cell.figures.hiddenSeen }];
    }),
  );
  if (points.length === 0) return null;
  return svg({
    height: 340,
    marginLeft: 50,
    x: { type: "log", label: "forward passes a window", grid: true },
    y: { label: "share of hidden tokens proven", grid: true, domain: [0, 1] },
    color: { legend: true, scheme: "Tableau10" },
    marks: [
      Plot.lineY(points, { x: "passes", y: "share", stroke: "cell", sort: "passes" }),
      Plot.dot(points, { x: "passes", y: "share", fill: "cell", r: 3 }),
    ],
  });
}

function svg(options: Plot.PlotOptions): string {
  const figure = Plot.plot({ width: WIDTH, document: document as never, ...options });
  return figure.outerHTML;
}
