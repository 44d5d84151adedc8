/** Tables and plots of records: one self-contained HTML page. */
import type { CellRecord } from "../attacks/run/cell-record.ts";
import { escaped } from "./escaped.ts";
import { grouped } from "./grouped.ts";
import { PAGE_SCRIPT, PAGE_STYLE } from "./page-style.ts";
import { budgetPlot, cellName, cellPlot, studyPlot } from "./plots.ts";
import type { Records, StudyRecord } from "./read-records.ts";
import { spaced } from "./setting-text.ts";
import { STUDY_PARTS } from "./study-axes.ts";
import { recordId, VERDICT_STYLE, verdictTable } from "./verdict-table.ts";
import { VERDICTS, type WorstVerdict } from "./worst-verdicts.ts";

/** What the page is made of. */
export interface ReportMaterial {
  readonly records: Records;
  readonly verdicts: readonly WorstVerdict[];
  /** What experiments ask, by the hash of their config. */
  readonly questions: ReadonlyMap<string, string>;
}

/** A part with its place in the contents. */
interface Part {
  readonly id: string;
  readonly title: string;
  readonly html: string;
}

/** The page of these records, as HTML: what they come to for each setting, then every record with its plots. */
export function reportPage({ records, verdicts, questions }: ReportMaterial): string {
  const { cells, studies, places } = records;
  const experiments = grouped(cells, ({ experiment, configHash, model }) => `${experiment} ${configHash} ${model}`);
  const parts = [
    ...[...experiments.values()].map((group, at) => experimentPart(`part-${at + 1}`, group, questions, places)),
    ...[...grouped(studies, ({ study }) => study)].map(([name, group]) => studyPart(name, group, places)),
  ];
  const budgets = budgetPlot(cells);
  const link = ({ id, title }: Part): string => `<li><a href="#${id}">${escaped(title)}</a></li>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>weir: what parties recover</title>
<style>
${PAGE_STYLE}
${VERDICT_STYLE}
</style>
<h1>What parties recover</h1>
<p>Which tokens of a prompt do the parties that compute a model read, by the strongest attack that was run on each setting? ${escaped(verdictSummary(verdicts))}</p>
<nav aria-label="Contents"><details><summary>Contents: ${parts.length} questions</summary><ol>
<li><a href="#verdicts">The worst verdict on each setting</a></li>
${budgets === null ? "" : '<li><a href="#budgets">What reading costs</a></li>'}
${parts.map(link).join("\n")}
</ol></details></nav>
${verdictTable(verdicts)}
${budgets === null ? "" : `<h2 id="budgets">What reading costs</h2>\n<p>Joint decoding: hidden tokens before a party's last row that were proven within so many forward passes a window.</p>\n<div class="plot">${budgets}</div>`}
<h2 id="records">Records</h2>
<p>Every figure is measured on recorded views of real sessions. Brackets: 95 % bootstrap intervals over prompts. Prior only: the same
attacker without rows and partial results. Tables sort by the column that is pressed.</p>
${parts.map(({ html }) => html).join("\n")}
<script>${PAGE_SCRIPT}</script>
</html>
`;
}

const FOUND: Readonly<Record<WorstVerdict["worst"]["verdict"], (count: number) => string>> = {
  breaks: (count) => `${count} ${count === 1 ? "is" : "are"} broken`,
  leaks: (count) => `${count} ${count === 1 ? "leaks" : "leak"}`,
  undecided: (count) => `${count} ${count === 1 ? "is" : "are"} undecided`,
  "no leak found": (count) => `in ${count} no attack found a leak`,
  void: (count) => `of ${count} no attack has a verdict`,
};

/** "Of 76 settings 43 are broken, 22 leak, ...". */
function verdictSummary(verdicts: readonly WorstVerdict[]): string {
  const settings = grouped(verdicts, ({ setting }) => JSON.stringify(setting));
  const worst = [...settings.values()].map((of) =>
    Math.min(...of.map(({ worst: { verdict } }) => VERDICTS.indexOf(verdict))),
  );
  const texts = VERDICTS.flatMap((verdict, at) => {
    const count = worst.filter((each) => each === at).length;
    return count === 0 ? [] : [FOUND[verdict](count)];
  });
  return `Of ${settings.size} settings ${texts.join(", ")}.`;
}

function experimentPart(
  id: string,
  cells: readonly CellRecord[],
  questions: ReadonlyMap<string, string>,
  places: Records["places"],
): Part {
  const [{ experiment, configHash, model, prompts, tokens, seed, attack, run }] = cells;
  const title = questions.get(configHash) ?? experiment;
  const metrics = [...new Set(cells.flatMap(({ scores }) => Object.keys(scores)))] as (keyof CellRecord["scores"])[];
  const head = ["cell", ...metrics.map(spaced), "prior hidden", "leak", "passes", "verdict"];
  const rows = cells.map((cell) => [
    cellName(cell),
    ...metrics.map((metric) => withInterval(cell.scores[metric])),
    withInterval(cell.prior.hiddenAccuracy),
    withInterval(cell.leak),
    cell.forwardPasses.toFixed(0),
    cell.void === null ? cell.verdict : `void: ${cell.void}`,
  ]);
  const marks = cells.map((cell) => ({ isVoid: cell.void !== null, id: recordId(places.get(cell)!) }));
  const html = `<h2 id="${id}">${escaped(title)}</h2>
<p class="quiet">${escaped(experiment)} on ${escaped(model)}: ${prompts} prompts of ${tokens} tokens, seed ${seed}, attack ${escaped(attack)}, commit ${escaped(run.commit)}, config ${configHash}</p>
<div class="plot">${cellPlot(cells)}</div>
${table(head, rows, marks)}`;
  return { id, title, html };
}

function studyPart(name: string, rows: readonly StudyRecord[], places: Records["places"]): Part {
  const settings = [...new Set(rows.flatMap(({ setting }) => Object.keys(setting)))];
  const flat = rows.map((row) => flattened(row.figures));
  const figures = [...new Set(flat.flatMap((row) => Object.keys(row)))];
  const cells = rows.map((row, at) => [
    ...settings.map((key) => plain(row.setting[key])),
    ...figures.map((key) => plain(flat[at][key])),
    String(row.n),
  ]);
  const { question, plots } = STUDY_PARTS[name] ?? { question: name, plots: [] };
  const drawn = plots.flatMap((axes) => {
    const plot = studyPlot(rows, axes);
    return plot === null ? [] : [`<h3>${escaped(axes.title)}</h3>\n<div class="plot">${plot}</div>`];
  });
  const id = `study-${name}`;
  const html = `<h2 id="${id}">${escaped(question)}</h2>\n<p class="quiet">study ${escaped(name)}</p>\n${drawn.join("\n")}\n${table(
    [...settings, ...figures, "n"].map(spaced),
    cells,
    rows.map((row) => ({ isVoid: false, id: recordId(places.get(row)!) })),
  )}`;
  return { id, title: question, html };
}

function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  marks: readonly { readonly isVoid: boolean; readonly id: string }[],
): string {
  const line = (cells: readonly string[]): string => cells.map((cell) => `<td>${escaped(cell)}</td>`).join("");
  const body = rows.map(
    (row, at) => `<tr id="${marks[at].id}"${marks[at].isVoid ? ' class="void"' : ""}>${line(row)}</tr>`,
  );
  const headings = head.map((name) => `<th><button type="button">${escaped(name)}</button></th>`).join("");
  return `<div class="wide" tabindex="0"><table class="records"><tr>${headings}</tr>\n${body.join("\n")}</table></div>`;
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
