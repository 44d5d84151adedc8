/**
 * Study: one CompNode's view alone: how many of the other nodes' tokens does it read, when each cluster that it recovers is the prefix
 * of the next? Clusters of c tokens, so a gap of c (alpha - 1) + 1 before each of its own.
 *
 * node --import tsx experiments/attacks/studies/gap-chain.ts --alphas 2,4,8 --prompts 10 --out records/gap-match.ndjson
 */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { CalibrationPrompt } from "../../lab/attack.ts";
import { openingLogits } from "../matching/proposals.ts";
import { bootstrapInterval } from "../../lab/statistics/bootstrap.ts";
import { calibrateGap } from "../gap-match/gap-calibration.ts";
import { gapMatch, matchChain } from "../gap-match/attack.ts";
import { priorContinuation } from "../matching/prior-continuation.ts";
import { StudyModel } from "./study-model.ts";
import { StudyOutput, type StudyResult } from "./study-output.ts";
import { STUDY_FLAGS, listed, studyFlags } from "./study-flags.ts";

export interface ChainStudy {
  readonly model: StudyModel;
  readonly attacked: readonly CalibrationPrompt[];
  readonly calibration: readonly CalibrationPrompt[];
  readonly layer: number;
  readonly alpha: number;
  readonly c: number;
  /** Passes a prompt. */
  readonly budget: number;
  /** Lines of text passed over before the first that is attacked. */
  readonly skip: number;
  readonly seed: number;
  readonly report: (doing: string) => void;
}

/** Hidden and own tokens right up to the node's last position, gaps proven, and what the model alone says with nothing known. */
export async function studyGapChain(study: ChainStudy): Promise<StudyResult> {
  const { model, attacked, layer, seed, budget } = study;
  const { engine } = model;
  const options = gapMatch.parseOptions({});
  const knowledge = {
    engine,
    layer,
    calibration: await calibrateGap(engine, layer, study.calibration),
    probes: await model.ownProbes(layer, options.trainingTokens, seed),
    opening: await openingLogits(engine),
    ownCandidates: options.ownCandidates,
  };
  const scores: { hidden: number; own: number; prior: number; proven: number; wrong: number; passes: number }[] = [];
  for (const { ids, view } of attacked) {
    const rows = view.rows("row", layer);
    const end = Math.max(...rows.keys()) + 1;
    const { guesses, certified, forwardPasses, figures } = await matchChain(knowledge, rows, new Map(), budget);
    const prior = await priorContinuation(engine, knowledge.opening, new Map(), end);
    const share = (found: typeof guesses, own: boolean): number => {
      const positions = Array.from({ length: end }, (_, at) => at).filter((at) => rows.has(at) === own);
      const right = positions.filter((at) => found.get(at)?.[0] === ids[at]);
      return positions.length === 0 ? 1 : right.length / positions.length;
    };
    const wrong = [...certified].filter((at) => guesses.get(at)?.[0] !== ids[at]).length;
    const score = { hidden: share(guesses, false), own: share(guesses, true), prior: share(prior.guesses, false) };
    scores.push({ ...score, proven: figures.gapsCertified, wrong, passes: forwardPasses });
    study.report(`alpha ${study.alpha}, c ${study.c}: hidden ${score.hidden}, ${forwardPasses} passes`);
  }
  const over = (of: (score: (typeof scores)[number]) => number): unknown => bootstrapInterval(scores.map(of), seed);
  return {
    study: "gap-chain",
    setting: settingOf(study),
    figures: {
      hidden: over(({ hidden }) => hidden),
      own: over(({ own }) => own),
      priorHidden: over(({ prior }) => prior),
      gapsCertified: over(({ proven }) => proven),
      certifiedWrong: scores.reduce((sum, { wrong }) => sum + wrong, 0),
      passes: over(({ passes }) => passes),
    },
    n: attacked.length,
    seed,
  };
}

const settingOf = ({ model, attacked, layer, alpha, c, budget, skip }: ChainStudy): StudyResult["setting"] => ({
  model: model.name,
  layer,
  alpha,
  c,
  gap: c * (alpha - 1) + 1,
  tokens: attacked[0].ids.length,
  budgetPerPrompt: budget,
  ...(skip > 0 ? { skip } : {}),
});

async function main(): Promise<void> {
  const values = studyFlags(
    z.strictObject({
      model: z.string().optional(),
      layer: z.int().min(0).default(1),
      alphas: listed(z.int().min(1), "2,4,8"),
      c: z.int().min(0).default(1),
      prompts: z.int().min(0).default(10),
      calibration: z.int().min(0).default(3),
      tokens: z.int().min(0).default(32),
      budget: z.int().min(0).default(20000),
      ...STUDY_FLAGS,
    }),
  );
  const output = new StudyOutput(values.out ?? null);
  const report = (doing: string): void => void process.stderr.write(`${doing}\n`);
  const { layer, c, budget } = values;
  const { skip, seed } = values;
  for (const alpha of values.alphas) {
    const model = await StudyModel.open(values.model ?? null, { alpha, c, smpcLayers: "none" });
    try {
      const counts = [values.prompts, values.calibration, values.tokens];
      const prompts = await model.prompts(counts[0], counts[1], counts[2], skip);
      const study = { model, ...prompts, layer, alpha, c, budget, skip, seed, report };
      if (output.has({ study: "gap-chain", setting: settingOf(study), seed })) continue;
      const startedAt = performance.now();
      output.write(await studyGapChain(study), startedAt);
    } finally {
      await model.close();
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
