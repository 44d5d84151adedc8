/**
 * Study: how many prompts does vocabulary matching read exactly from unsharded rows, and with how many candidates a position?
 * Verdict rule, fixed before the run: at least 97 % of the prompts exact with at most 200 candidates a position on average.
 *
 * node --import tsx experiments/attacks/studies/vocab-match.ts --layers 1,4 --prompts 100 --out records/vocab-match.ndjson
 */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { bootstrapInterval, seededChance } from "../../lab/statistics/bootstrap.ts";
import { normal } from "../../lab/statistics/normal.ts";
import { openingLogits } from "../matching/proposals.ts";
import { scaledL1, sortedL1 } from "../matching/row-measure.ts";
import { calibrateThresholds, type MatchThresholds } from "../matching/match-threshold.ts";
import { hideOrder, matchTokens, readsRows, vocabMatch, type VocabMatchOptions } from "../vocab-match/attack.ts";
import type { CalibrationPrompt } from "../../lab/attack.ts";
import { StudyModel } from "./study-model.ts";
import { StudyOutput, type StudyResult } from "./study-output.ts";
import { STUDY_FLAGS, listed, studyFlags } from "./study-flags.ts";

const VARIANTS = ["aligned", "rowsPermuted", "hiddenPermuted"] as const;
type Variant = (typeof VARIANTS)[number];

export interface VocabMatchStudy {
  readonly model: StudyModel;
  readonly attacked: readonly CalibrationPrompt[];
  readonly calibration: readonly CalibrationPrompt[];
  readonly layer: number;
  readonly variant: Variant;
  readonly order: VocabMatchOptions["order"];
  /** Rows replaced by noise of their own spread: what the attack must not read. */
  readonly noise: boolean;
  readonly budget: number;
  /** Lines of text passed over before the first that is attacked. */
  readonly skip: number;
  readonly seed: number;
  readonly report: (doing: string) => void;
}

/** Exact prompts, token accuracy, candidates a position, share of positions certified; each a mean over prompts with its interval. */
export async function studyVocabMatch(study: VocabMatchStudy): Promise<StudyResult> {
  const { model, attacked, layer, variant, noise, seed } = study;
  const options = vocabMatch.parseOptions({ variant, order: study.order });
  const opening = await openingLogits(model.engine);
  const measure = variant === "hiddenPermuted" ? sortedL1 : scaledL1(null);
  const thresholds = await calibrateThresholds(model.engine, layer, study.calibration, measure, opening);
  const probes = readsRows(options) ? await model.ownProbes(layer, options.trainingTokens, seed) : null;
  const started = performance.now();
  const results: { exact: number; accuracy: number; candidates: number; certified: number; wrong: number }[] = [];
  let passes = 0;
  for (const [at, { ids, view }] of attacked.entries()) {
    const rows = noise ? noiseRows(view.rows("row", layer), `${seed} ${at}`) : view.rows("row", layer);
    const { guesses, certified, forwardPasses } = await matchTokens(
      {
        engine: model.engine,
        layer,
        rows: hideOrder(rows, variant, seed + at),
        known: new Map(),
        thresholds,
        opening,
        probes,
        budget: study.budget,
      },
      options,
    );
    passes += forwardPasses;
    study.report(`layer ${layer}, ${variant}: prompt ${at + 1} of ${attacked.length}, ${passes} passes`);
    const right = ids.map((id, position) => guesses.get(position)?.[0] === id);
    const hits = right.filter(Boolean).length;
    results.push({
      exact: hits === ids.length ? 1 : 0,
      accuracy: hits / ids.length,
      candidates: forwardPasses / ids.length,
      certified: certified.size / ids.length,
      wrong: [...certified].filter((position) => !right[position]).length,
    });
  }
  const seconds = (performance.now() - started) / 1000;
  const over = (pick: (result: (typeof results)[number]) => number): unknown =>
    bootstrapInterval(results.map(pick), seed);
  return {
    study: "vocab-match",
    setting: settingOf(study),
    figures: {
      exactPrompts: over(({ exact }) => exact),
      tokenAccuracy: over(({ accuracy }) => accuracy),
      candidatesPerPosition: over(({ candidates }) => candidates),
      certified: over(({ certified }) => certified),
      certifiedWrong: results.reduce((sum, { wrong }) => sum + wrong, 0),
      passesPerSecond: Math.round(passes / seconds),
      ...thresholdFigures(thresholds),
    },
    n: attacked.length,
    seed,
  };
}

const settingOf = ({
  model,
  attacked,
  layer,
  variant,
  order,
  noise,
  budget,
  skip,
}: VocabMatchStudy): StudyResult["setting"] => ({
  model: model.name,
  layer,
  variant,
  order,
  rows: noise ? "noise" : "recorded",
  tokens: attacked[0].ids.length,
  budgetPerPrompt: budget,
  ...(skip > 0 ? { skip } : {}),
});

const thresholdFigures = ({ first, rest }: MatchThresholds): Record<string, number> => ({
  firstRight: first.right,
  firstWrong: first.wrong,
  restRight: rest.right,
  restWrong: rest.wrong,
});

/** Gaussian rows with each row's mean and spread. */
function noiseRows(
  rows: ReadonlyMap<number, Float32Array | Float64Array>,
  seed: string,
): ReadonlyMap<number, Float64Array> {
  const chance = seededChance(seed);
  return new Map(
    [...rows].map(([position, row]) => {
      const values = Float64Array.from(row);
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
      return [position, values.map(() => mean + spread * normal(chance))];
    }),
  );
}

async function main(): Promise<void> {
  const values = studyFlags(
    z.strictObject({
      model: z.string().optional(),
      layers: listed(z.int().min(0), "1"),
      variants: listed(z.enum(VARIANTS), "aligned"),
      prompts: z.int().min(0).default(30),
      calibration: z.int().min(0).default(5),
      tokens: z.int().min(0).default(24),
      budget: z.int().min(0).default(1000000),
      order: z.string().default("modelAndRow"),
      noise: z.boolean().default(false),
      ...STUDY_FLAGS,
    }),
  );
  const output = new StudyOutput(values.out ?? null);
  const report = (doing: string): void => void process.stderr.write(`${doing}\n`);
  const model = await StudyModel.open(values.model ?? null);
  try {
    const { skip, seed } = values;
    const prompts = await model.prompts(values.prompts, values.calibration, values.tokens, skip);
    const { order } = vocabMatch.parseOptions({ order: values.order });
    for (const layer of values.layers)
      for (const variant of values.variants) {
        const { noise, budget } = { noise: values.noise, budget: values.budget };
        const study = { model, ...prompts, layer, variant, order, noise, budget, skip, seed, report };
        if (output.has({ study: "vocab-match", setting: settingOf(study), seed })) continue;
        const startedAt = performance.now();
        output.write(await studyVocabMatch(study), startedAt);
      }
  } finally {
    await model.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
