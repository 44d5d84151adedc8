/** The worst verdicts as plain rows: CSV for other programs, Markdown for a page. */
import { csvFormat } from "d3-dsv";
import { attackersText } from "./attacked-setting.ts";
import { alsoText, inOrder, type WorstVerdict } from "./worst-verdicts.ts";

/** A row a setting and kind of attackers; empty where a record says nothing. */
function verdictRow({ setting, attackers, tokens, worst, notAttackedBy }: WorstVerdict): Record<string, string> {
  const of = worst.hidden !== null && worst.metric.startsWith("hidden") ? worst.hidden : worst.share;
  return {
    model: setting.model,
    layersOnShares: setting.onShares,
    alpha: text(setting.alpha),
    c: text(setting.c),
    merge: text(setting.merge),
    also: alsoText(setting),
    attackers: attackersText(attackers, setting),
    parties: worst.coalition.join(" "),
    tokens,
    verdict: worst.verdict,
    attack: worst.attack,
    layer: text(worst.layer),
    metric: worst.metric,
    read: digits(of.mean),
    low: digits(of.low),
    high: digits(of.high),
    prompts: text(worst.prompts),
    tokensAPrompt: text(worst.tokens),
    passes: text(worst.passes),
    seconds: text(worst.seconds),
    mustReach: text(worst.controls.positive),
    noise: text(worst.controls.noise),
    certifiedWrong: text(worst.certifiedWrong),
    notAttackedBy: notAttackedBy.join(" "),
    record: `${worst.place.file}:${worst.place.line}`,
  };
}

const text = (value: string | number | null): string => (value === null ? "" : String(value));
const digits = (value: number): string => value.toFixed(4);

/** RFC 4180, a heading first. */
export const verdictsCsv = (verdicts: readonly WorstVerdict[]): string =>
  `${csvFormat(verdicts.toSorted(inOrder).map(verdictRow))}\n`;

const COLUMNS = [
  "model",
  "layersOnShares",
  "merge",
  "alpha",
  "c",
  "also",
  "attackers",
  "verdict",
  "attack",
  "read",
  "prompts",
  "record",
];

/** A table of the columns that a reader asks for first; the others stand in the CSV. */
export function verdictsMarkdown(verdicts: readonly WorstVerdict[]): string {
  const rows = verdicts.toSorted(inOrder).map(verdictRow);
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const body = rows.map((row) =>
    line(
      COLUMNS.map((column) => {
        const cell = column === "read" ? `${row.read} [${row.low}, ${row.high}]` : row[column];
        return cell.replaceAll("|", "\\|");
      }),
    ),
  );
  return `# The worst verdict on each setting\n\n${[line(COLUMNS), line(COLUMNS.map(() => "---")), ...body].join("\n")}\n`;
}
