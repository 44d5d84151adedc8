import type { StudyAxes } from "./plots.ts";

const BUDGETS = { exactAt1e1: 10, exactAt1e2: 1e2, exactAt1e3: 1e3, exactAt1e4: 1e4, exactAt1e5: 1e5, exactAt1e6: 1e6 };

/** What is drawn of each study, by its name; a study that isn't here has a table alone. */
export const STUDY_AXES: Readonly<Record<string, readonly StudyAxes[]>> = {
  "own-token-curve": [
    {
      title: "A row's own token, best probe, by layer",
      x: "layer",
      y: "best.top1",
      series: ["model", "kind"],
    },
  ],
  "gap-match": [
    {
      title: "All tokens of a gap right, by budget (prefix known)",
      x: { label: "forward passes", figures: BUDGETS },
      y: "share of gaps",
      series: ["model", "layer", "gap"],
      logarithmic: true,
    },
  ],
};
