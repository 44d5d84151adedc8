import type { StudyAxes } from "./plots.ts";

const BUDGETS = { exactAt1e1: 10, exactAt1e2: 1e2, exactAt1e3: 1e3, exactAt1e4: 1e4, exactAt1e5: 1e5, exactAt1e6: 1e6 };

/** What a study asks, and what is drawn of it. */
export interface StudyPart {
  readonly question: string;
  readonly plots: readonly StudyAxes[];
}

/** Studies by their names; one that isn't here has a table alone. */
export const STUDY_PARTS: Readonly<Record<string, StudyPart>> = {
  "own-token-curve": {
    question: "How well does a probe name the own token of a row, by layer?",
    plots: [
      {
        title: "A row's own token, best probe, by layer",
        x: "layer",
        y: "best.top1",
        series: ["model", "kind", "probes"],
      },
    ],
  },
  collude: {
    question: "Which smallest coalition recovers 90 % of the tokens of a setting?",
    plots: (["CompNodes", "AttnNodes"] as const).map((family) => ({
      title: `Share of all tokens that ${family} recover together, by their number`,
      x: "size",
      y: "whole",
      series: ["alpha", "c", "m", "smpcLayers", "merge"],
      only: { family },
    })),
  },
  "neighbour-curve": {
    question: "What does a row tell of the tokens beside its own, by layer?",
    plots: [
      {
        title: "Tokens beside a row's own, row and pair counts together, by layer",
        x: "layer",
        y: "probeAndPairs.top1",
        series: ["model", "offset"],
      },
    ],
  },
  "additive-decode": {
    question: "Which tokens of other nodes does a CompNode read off the partial results of layer 0?",
    plots: [
      {
        title: "Other nodes' tokens decoded from partial results of layer 0, by gap",
        x: "gap",
        y: "hiddenAccuracy",
        series: ["model", "merge", "wire", "smpcLayers"],
        only: { layer: 0, options: "{}" },
      },
    ],
  },
  infill: {
    question: "How much of what a CompNode doesn't see does an infiller reconstruct, with its rows and without?",
    plots: [
      {
        title: "ROUGE-L of hidden tokens, filled with rows, by gap",
        x: "gap",
        y: "hiddenRougeL",
        series: ["model", "attack"],
      },
    ],
  },
  "gap-match": {
    question: "How much of a gap does a search recover, against its budget in forward passes, with the prefix known?",
    plots: [
      {
        title: "All tokens of a gap right, by budget (prefix known)",
        x: { label: "forward passes", figures: BUDGETS },
        y: "share of gaps",
        series: ["model", "layer", "gap"],
        only: { own: "hidden", exhaustiveUpTo: undefined },
        logarithmic: true,
      },
    ],
  },
  "gap-chain": {
    question:
      "How many of the other nodes' tokens does one CompNode read from its view alone, each recovered cluster the prefix of the next?",
    plots: [],
  },
  "partial-softmax": { question: "Which value rows do partial results with one visible key give away?", plots: [] },
  lp: {
    question:
      "Which hidden tokens of its first gap does CompNode 0 get by a linear program, of what size and in what time?",
    plots: [],
  },
  "vocab-match": {
    question:
      "How many prompts does vocabulary matching read exactly from unsharded rows, with how many candidates a position?",
    plots: [],
  },
  "client-timing": { question: "Does the client's time between products tell prompts of one length apart?", plots: [] },
  "steering-server": { question: "Can a server's wrong answers raise a logit without being caught?", plots: [] },
  "reused-merge-masks": { question: "What would masks of a masked merge that are used twice give away?", plots: [] },
};
