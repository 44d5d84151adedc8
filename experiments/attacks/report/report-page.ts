/** Tables and plots of records: one self-contained HTML page. */
import type { CellRecord } from "../run/cell-record.ts";
import { escaped } from "./escaped.ts";
import { grouped } from "./grouped.ts";
import { cellName, cellPlot, studyPlot, type StudyAxes } from "./plots.ts";
import type { Records, StudyRecord } from "./read-records.ts";
import { STUDY_AXES } from "./study-axes.ts";
import { recordId, VERDICT_STYLE, verdictTable } from "./verdict-table.ts";
import type { WorstVerdict } from "./worst-verdicts.ts";

/** The page of these records, as HTML: what they come to for each setting, then every record with its plots. */
export function reportPage(records: Records, verdicts: readonly WorstVerdict[]): string {
  const { cells, studies, places } = records;
  const experiments = grouped(
    cells,
    ({ experiment, configHash, model }) => `${experiment} (config ${configHash}, ${model})`,
  );
  const parts = [
    ...[...experiments].map(([name, group]) => experimentPart(name, group, places)),
    ...[...grouped(studies, ({ study }) => study)].map(([name, group]) => studyPart(name, group, places)),
  ];
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>weir: what parties recover</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 1440px; margin: 2em auto; padding: 0 1em; color: #1c232b; }
  p { max-width: 1000px; }
  table { border-collapse: collapse; margin: 1em 0; font-size: 13px; }
  th, td { border-bottom: 1px solid #d4dae1; padding: 3px 10px; text-align: right; white-space: nowrap; }
  th:first-child, td:first-child { text-align: left; }
  .void { background: #fde7e5; }
${VERDICT_STYLE}
  .wide { overflow-x: auto; }
</style>
<h1>What parties recover</h1>
${verdictTable(verdicts)}
<h2 id="records">Records</h2>
<p>Every figure is measured on recorded views of real sessions. Brackets: 95 % bootstrap intervals over prompts. Prior only: the same
attacker without rows and partial results.</p>
${parts.join("\n")}
</html>
`;
}

function experimentPart(name: string, cells: readonly CellRecord[], places: Records["places"]): string {
  const metrics = [...new Set(cells.flatMap(({ scores }) => Object.keys(scores)))] as (keyof CellRecord["scores"])[];
  const head = ["cell", ...metrics, "prior hidden", "leak", "passes", "verdict"];
  const rows = cells.map((cell) => [
    cellName(cell),
    ...metrics.map((metric) => withInterval(cell.scores[metric])),
    withInterval(cell.prior.hiddenAccuracy),
    withInterval(cell.leak),
    cell.forwardPasses.toFixed(0),
    cell.void === null ? cell.verdict : `void: ${cell.void}`,
  ]);
  const voided = cells.map((cell) => cell.void !== null);
  return `<h2>${escaped(name)}</h2>
<p>${cells[0].prompts} prompts of ${cells[0].tokens} tokens, seed ${cells[0].seed}, attack ${escaped(cells[0].attack)}, commit ${escaped(cells[0].run.commit)}</p>
${cellPlot(cells)}
${table(
  head,
  rows,
  cells.map((cell, at) => ({ isVoid: voided[at], id: recordId(places.get(cell)!) })),
)}`;
}

function studyPart(name: string, rows: readonly StudyRecord[], places: Records["places"]): string {
  const settings = [...new Set(rows.flatMap(({ setting }) => Object.keys(setting)))];
  const flat = rows.map((row) => flattened(row.figures));
  const figures = [...new Set(flat.flatMap((row) => Object.keys(row)))];
  const cells = rows.map((row, at) => [
    ...settings.map((key) => plain(row.setting[key])),
    ...figures.map((key) => plain(flat[at][key])),
    String(row.n),
  ]);
  const drawn = (STUDY_AXES[name] ?? []).flatMap((axes: StudyAxes) => {
    const plot = studyPlot(rows, axes);
    return plot === null ? [] : [`<h3>${escaped(axes.title)}</h3>`, plot];
  });
  return `<h2>${escaped(name)}</h2>\n${drawn.join("\n")}\n${table(
    [...settings, ...figures, "n"],
    cells,
    rows.map((row) => ({ isVoid: false, id: recordId(places.get(row)!) })),
  )}`;
}

function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  marks: readonly { readonly isVoid: boolean; readonly id: string }[],
): string {
  const line = (tag: string, cells: readonly string[]): string =>
    cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join("");
  const body = rows.map(
    (row, at) => `<tr id="${marks[at].id}"${marks[at].isVoid ? ' class="void"' : ""}>${line("td", row)}</tr>`,
  );
  return `<div class="wide"><table><tr>${line("th", head)}</tr>\n${body.join("\n")}</table></div>`;
}

/** Figures of figures by their path: { best: { top1 } } is "best.top1"; an interval is one figure. */
function flattened(figures: Readonly<Record<string, unknown>>, under = ""): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(figures).flatMap(([key, value]) =>
      typeof value === "object" && value !== null && !Array.isArray(value) && !("mean" in value)
        ? Object.entries(flattened(value as Record<string, unknown>, `${under}${key}.`))
        : [[`${under}${key}`, value]],
    ),
  );
}

function plain(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : value.toPrecision(3);
  if (Array.isArray(value) && value.length === 3 && value.every((part) => typeof part === "number"))
    return withInterval({ mean: value[0], low: value[1], high: value[2] });
  if (typeof value === "object" && "mean" in value) return withInterval(value as CellRecord["leak"]);
  return typeof value === "string" ? value : JSON.stringify(value);
}

function withInterval(interval: { mean: number; low?: number; high?: number } | undefined): string {
  if (interval === undefined) return "-";
  const { mean, low, high } = interval;
  return low === undefined || high === undefined
    ? mean.toFixed(3)
    : `${mean.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
}
