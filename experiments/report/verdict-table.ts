/** The worst verdict on each setting as an HTML table: a row a setting and party, grouped by what is on shares. */
import type { AttackFact, Share } from "./attack-fact.ts";
import { attackersText, type AttackedSetting } from "./attacked-setting.ts";
import { escaped } from "./escaped.ts";
import { grouped } from "./grouped.ts";
import type { RecordPlace } from "./read-records.ts";
import { alsoText, inOrder, type WorstVerdict } from "./worst-verdicts.ts";

/** For the page's style sheet. */
export const VERDICT_STYLE = `  .verdicts td, .verdicts th { text-align: left; vertical-align: top; }
  .verdicts td.number, .verdicts th.number { text-align: right; font-variant-numeric: tabular-nums; }
  .verdicts td.text { white-space: normal; min-width: 13em; }
  .verdicts td.who { white-space: normal; min-width: 8em; max-width: 12em; }
  .verdicts td, .verdicts th { padding: 3px 8px; }
  .verdicts tr.again td.setting { color: transparent; border-bottom-color: transparent; }
  .verdicts tr.part td { font-weight: 600; padding-top: 1.4em; border-bottom: 2px solid var(--strong-line); }
  .verdicts td.record { white-space: normal; overflow-wrap: anywhere; min-width: 9em; }
  .verdict { white-space: nowrap; border-radius: 3px; padding: 0 5px; }
  .verdict.breaks { background: var(--breaks); }
  .verdict.leaks { background: var(--leaks); }
  .verdict.undecided, .verdict.void { background: var(--undecided); }
  .verdict.none { background: var(--none); }`;

/** What a record's row is called on the page. */
export const recordId = ({ file, line }: RecordPlace): string => `record-${file}-${line}`;

const HEAD = [
  ["alpha", "number"],
  ["c", "number"],
  ["merge", ""],
  ["also", ""],
  ["who attacks", ""],
  ["worst verdict", ""],
  ["by", ""],
  ["read", "number"],
  ["prompts x tokens", "number"],
  ["passes", "number"],
  ["seconds", "number"],
  ["must", "number"],
  ["noise", "number"],
  ["wrong", "number"],
  ["record", ""],
] as const;

/** Heading, explanation and table. */
export function verdictTable(verdicts: readonly WorstVerdict[]): string {
  const parts = grouped(verdicts.toSorted(inOrder), ({ setting }) => `${setting.model}: ${placed(setting)}`);
  const rows = [...parts].flatMap(([name, part]) => [
    `<tr class="part"><td colspan="${HEAD.length}">${escaped(name)}</td></tr>`,
    ...part.map((one, at) => row(one, at > 0 && sharding(part[at - 1].setting) === sharding(one.setting))),
  ]);
  const head = HEAD.map(([name, kind]) => `<th class="${kind}">${name}</th>`).join("");
  return `<h2 id="verdicts">The worst verdict on each setting</h2>
<p>Over all attacks and records. Read: the share of the tokens that the attackers saw nothing of, unless it says otherwise, with its 95 % interval over prompts.
Passes and seconds: of one prompt. Must: what the attack reached where there is nothing to hide; noise: on noise. Wrong: tokens that it certified and that were wrong. More parties together are listed
where fewer got less far. "No leak found" is of the attacks that were run, and bounds nothing; "not attacked by" names those that go further, and of which no record is.</p>
<div class="wide" tabindex="0"><table class="verdicts"><tr>${head}</tr>
${rows.join("\n")}</table></div>`;
}

function row({ setting, attackers, tokens, worst, notAttackedBy }: WorstVerdict, isAgain: boolean): string {
  const { alpha, c, merge } = setting;
  const own = tokens === "own" ? ", of its own tokens" : "";
  const missing = worst.verdict === "void" ? "no attack has a verdict" : `not attacked by ${notAttackedBy.join(", ")}`;
  const not = notAttackedBy.length === 0 ? "" : `<div class="small">${missing}</div>`;
  const part = worst.part === null ? "" : `, ${worst.part}`;
  const { positive, noise } = worst.controls;
  const { place } = worst;
  const cells = [
    ["number setting", alpha ?? ""],
    ["number setting", c ?? ""],
    ["setting", merge ?? ""],
    ["setting", alsoText(setting)],
    ["who", `${attackersText(attackers, setting)}<div class="small">${worst.coalition.join(", ")}</div>`],
    [
      "text",
      `<span class="verdict ${worst.verdict === "no leak found" ? "none" : worst.verdict}">${worst.verdict}</span>${own}${not}`,
    ],
    ["", `${escaped(worst.attack)}<div class="small">layer ${worst.layer}${part}</div>`],
    ["number", read(worst)],
    ["number", worst.tokens === null ? worst.prompts : `${worst.prompts} x ${worst.tokens}`],
    ["number", worst.passes === null ? "" : rounded(worst.passes)],
    ["number", worst.seconds === null ? "" : rounded(worst.seconds)],
    ["number", positive === null ? "" : positive.toFixed(2)],
    ["number", noise === null ? "" : noise.toFixed(2)],
    ["number", worst.certifiedWrong ?? ""],
    ["record", `<a href="#${recordId(place)}">${escaped(place.file.replace(/\.ndjson$/, ""))}:${place.line}</a>`],
  ] as const;
  const html = cells.map(([kind, text]) => `<td class="${kind}">${text}</td>`).join("");
  return `<tr${isAgain ? ' class="again"' : ""}>${html}</tr>`;
}

/** "none", "first 2" in whole words. */
const placed = ({ onShares }: AttackedSetting): string =>
  onShares === "none" ? "no layer on shares" : `layers on shares: ${onShares}`;

const sharding = ({ alpha, c, merge, wire, m, more }: AttackedSetting): string =>
  JSON.stringify([alpha, c, merge, wire, m, more]);

const NAMES: Readonly<Partial<Record<AttackFact["metric"], string>>> = {
  ownAccuracy: "of own tokens",
  wholeAccuracy: "of all tokens",
  exact: "of prompts exact",
  hiddenRougeL: "ROUGE-L",
};

function read({ metric, share, hidden }: AttackFact): string {
  const isHidden = hidden !== null && metric.startsWith("hidden");
  const of = isHidden ? hidden : share;
  const name = isHidden ? "" : `<div class="small">${NAMES[metric] ?? metric}</div>`;
  return `${interval(of)}${name}`;
}

const interval = ({ mean, low, high }: Share): string => `${mean.toFixed(3)} [${low.toFixed(2)}, ${high.toFixed(2)}]`;

/** Three digits at least: "0.3", "1,234". */
const rounded = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(2)));
