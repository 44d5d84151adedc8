import type { Interval } from "../experiments/lab/statistics/bootstrap.ts";
import type { Metric } from "../experiments/lab/metric.ts";
import type { CellRecord } from "../experiments/attacks/run/cell-record.ts";
import { textTable, wrap } from "./text-table.ts";

/** Records of an experiment for a person, in lines of at most `width` characters: a line a cell, attack beside prior-only on the verdict's metric, and what the intervals are. */
export function attackTable(records: readonly CellRecord[], metric: Metric, width: number): string {
  const head = ["setting", "layer", "who", "gap", metric, "prior", "leak", "whole", "proven", "passes", "verdict"];
  const lines = textTable(
    head,
    records.map((record) => [
      Object.entries(record.cell.setting)
        .map(([key, value]) => `${key} ${JSON.stringify(value)?.replaceAll('"', "")}`)
        .join(", "),
      String(record.cell.layer),
      record.cell.coalition.join(" + "),
      record.exposure.minGap === null ? "-" : String(record.exposure.minGap),
      shown(record.scores[metric]),
      shown(record.prior[metric]),
      shown(record.leak),
      shown(record.scores.wholeAccuracy),
      record.certified.toFixed(3) + (record.certifiedWrong === 0 ? "" : `, ${record.certifiedWrong} tokens wrong`),
      record.forwardPasses.toFixed(0),
      record.verdict,
    ]),
    width,
  );
  const [first] = records;
  return [
    ...lines,
    "",
    ...wrap(
      `${first.attack} on ${first.model}, ${first.prompts} prompts of ${first.tokens} tokens; in brackets 95 % intervals over prompts; prior: the same attacker without rows and partial results; leak: attack less prior, prompt by prompt; whole: share of all tokens; proven: share that the attack itself calls so`,
      width,
    ),
  ].join("\n");
}

const shown = (interval: Interval | undefined): string =>
  interval === undefined
    ? "-"
    : `${interval.mean.toFixed(3)} [${interval.low.toFixed(3)}, ${interval.high.toFixed(3)}]`;
