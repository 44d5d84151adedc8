import type { StudyAxes } from "./plots.ts";

const BUDGETS = { exactAt1e1: 10, exactAt1e2: 1e2, exactAt1e3: 1e3, exactAt1e4: 1e4, exactAt1e5: 1e5, exactAt1e6: 1e6 };

/** What is drawn of each study, by its name; a study that isn't here has a table alone. */
export const STUDY_AXES: Readonly<Record<string, readonly StudyAxes[]>> = {
  "own-token-curve": [
    {
      title: "A row's own token, best probe, by layer",
      x: "layer",
      y: "best.top1",
      series: ["model", "kind", "probes"],
    },
  ],
  collude: (["CompNodes", "AttnNodes"] as const).map((family) => ({
    title: `Share of all tokens that ${family} recover together, by their number`,
    x: "size",
    y: "whole",
    series: ["alpha", "c", "m", "smpcLayers", "merge"],
    only: { family },
  })),
  "neighbour-curve": [
    {
      title: "Tokens beside a row's own, row and pair counts together, by layer",
      x: "layer",
      y: "probeAndPairs.top1",
      series: ["model", "offset"],
    },
  ],
  "additive-decode": [
    {
      title: "Other nodes' tokens decoded from partial results of layer 0, by gap",
      x: "gap",
      y: "hiddenAccuracy",
      series: ["model", "merge", "wire", "smpcLayers"],
      only: { layer: 0, options: "{}" },
    },
  ],
  infill: [
    {
      title: "ROUGE-L of hidden tokens, filled with rows, by gap",
      x: "gap",
      y: "hiddenRougeL",
      series: ["model", "attack"],
    },
  ],
  "gap-match": [
    {
      title: "All tokens of a gap right, by budget (prefix known)",
      x: { label: "forward passes", figures: BUDGETS },
      y: "share of gaps",
      series: ["model", "layer", "gap"],
      only: { own: "hidden", exhaustiveUpTo: undefined },
      logarithmic: true,
    },
  ],
};
