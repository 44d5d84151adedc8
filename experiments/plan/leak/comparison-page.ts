/** The table of docs/leak-model.md: an experiment a row, what the rules say beside what was recovered. */
import type { Compared } from "./against-records.ts";

/** More tokens recovered than predicted that the model's own continuation explains, as a share of the positions that rules say nothing of. */
const GUESSED_SHARE = 0.3;
/** Tokens of a prompt that two ways of counting may differ by: means over prompts. */
const ROUNDED = 1;
/** Passes predicted are within this factor. */
export const PASSES_WITHIN = 3;

/** Does a record agree with the rules: in positions, but for luck, and in passes within a factor? */
export function agrees({ record, predicted, recovered, passes }: Compared): { positions: boolean; passes: boolean } {
  const over = recovered - predicted;
  const ratio = passes === null ? 1 : passes.counted / Math.max(1, passes.predicted);
  return {
    positions: over >= -ROUNDED && over <= ROUNDED + GUESSED_SHARE * (record.tokens - predicted),
    passes: ratio <= PASSES_WITHIN && ratio >= 1 / PASSES_WITHIN,
  };
}

/** Rows of Markdown, by experiment. */
export function comparisonTable(compared: readonly Compared[]): string {
  const experiments = [...new Set(compared.map(({ record }) => record.experiment))];
  const rows = experiments.map((experiment) => {
    const of = compared.filter(({ record }) => record.experiment === experiment);
    const sum = (figure: (one: Compared) => number): number => of.reduce((total, one) => total + figure(one), 0);
    const ratios = of.flatMap(({ passes }) =>
      passes === null ? [] : [passes.counted / Math.max(1, passes.predicted)],
    );
    const span = ratios.length === 0 ? "none" : spanText(Math.min(...ratios), Math.max(...ratios));
    const agreeing = of.filter((one) => agrees(one).positions).length;
    return `| ${experiment} | ${of.length} | ${sum(({ predicted }) => predicted)} | ${sum(({ recovered }) => recovered).toFixed(1)} | ${agreeing} of ${of.length} | ${span} |`;
  });
  const head =
    "| experiment | cells | positions by the rules | recovered | cells that agree | passes, counted over predicted |";
  return [head, "| --- | --- | --- | --- | --- | --- |", ...rows].join("\n");
}

const spanText = (low: number, high: number): string =>
  low.toFixed(2) === high.toFixed(2) ? low.toFixed(2) : `${low.toFixed(2)} to ${high.toFixed(2)}`;
