/** Plots of records as SVG text. */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import type { CellRecord } from "../run/cell-record.ts";
import type { StudyRecord } from "./read-records.ts";

const { document } = parseHTML("<html><body></body></html>");
const WIDTH = 760;

/** What recovery of hidden tokens each cell of an experiment reached, beside the prior-only control, with intervals. */
export function cellPlot(cells: readonly CellRecord[]): string {
  const { metric } = cells[0].controls.positive;
  const of = metric in cells[0].scores && cells[0].scores.hiddenAccuracy === undefined ? metric : "hiddenAccuracy";
  const points = cells.flatMap((cell) =>
    (["attack", "prior only"] as const).flatMap((who) => {
      const interval = (who === "attack" ? cell.scores : cell.prior)[of];
      return interval === undefined ? [] : [{ cell: cellName(cell), who, ...interval }];
    }),
  );
  return svg({
    height: 60 + 22 * cells.length,
    marginLeft: 330,
    x: { domain: [0, 1], label: of, grid: true },
    y: { label: null, domain: cells.map(cellName) },
    color: { legend: true, domain: ["attack", "prior only"], range: ["#b3261e", "#5f6b7a"] },
    marks: [
      Plot.ruleY(points, { y: "cell", x1: "low", x2: "high", stroke: "who", strokeOpacity: 0.5, strokeWidth: 3 }),
      Plot.dot(points, { y: "cell", x: "mean", fill: "who", r: 4 }),
    ],
  });
}

/** Which columns of a study's rows are drawn. */
export interface StudyAxes {
  /** A numeric key of the setting or the figures. */
  readonly x: string;
  readonly y: string;
  /** Keys of the setting that tell lines apart. */
  readonly series: readonly string[];
  readonly logarithmic?: boolean;
}

/** One line a series of a study. */
export function studyPlot(rows: readonly StudyRecord[], { x, y, series, logarithmic }: StudyAxes): string {
  const points = rows
    .map((row) => ({
      x: Number(row.setting[x] ?? numberOf(row.figures[x])),
      y: numberOf(row.figures[y]),
      series: series.map((key) => `${key} ${String(row.setting[key])}`).join(", "),
    }))
    .filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
  return svg({
    height: 340,
    marginLeft: 50,
    x: { label: x, grid: true, ...(logarithmic === true ? { type: "log" as const } : {}) },
    y: { label: y, grid: true, domain: [0, Math.max(1, ...points.map((point) => point.y))] },
    color: { legend: true, scheme: "Tableau10" },
    marks: [
      Plot.lineY(points, { x: "x", y: "y", stroke: "series", sort: "x" }),
      Plot.dot(points, { x: "x", y: "y", fill: "series", r: 3 }),
    ],
  });
}

/** The number of a figure: its mean where it has an interval. */
export function numberOf(figure: unknown): number {
  if (typeof figure === "number") return figure;
  return typeof figure === "object" && figure !== null && "mean" in figure ? Number(figure.mean) : NaN;
}

/** "alpha 4, c 2 · layer 1 · comp.0". */
export function cellName({ cell }: CellRecord): string {
  const setting = Object.entries(cell.setting).map(
    ([key, value]) => `${key} ${JSON.stringify(value).replaceAll('"', "")}`,
  );
  return `${setting.join(", ")} · layer ${cell.layer} · ${cell.coalition.join("+")}`;
}

function svg(options: Plot.PlotOptions): string {
  const figure = Plot.plot({ width: WIDTH, document: document as never, ...options });
  return figure.outerHTML;
}
