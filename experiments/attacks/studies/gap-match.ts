/**
 * Study: how much of a gap does a search recover, against its budget in forward passes? With the prefix known.
 * Verdict rule, fixed before the run: "a gap of g is safe" is refuted where at least half of the gaps are recovered exactly.
 *
 * node --import tsx experiments/attacks/studies/gap-match.ts --layers 1 --gaps 1,2,3,4,8 --prompts 20 --out records/gap-match.ndjson
 */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { bootstrapInterval } from "../../lab/statistics/bootstrap.ts";
import type { CalibrationPrompt } from "../../lab/attack.ts";
import { openingLogits } from "../matching/proposals.ts";
import { PrefixForward } from "../matching/prefix-forward.ts";
import { calibrateGap } from "../gap-match/gap-calibration.ts";
import { exhaustGap } from "../gap-match/gap-exhaustive.ts";
import { searchGap, type GapTask } from "../gap-match/gap-search.ts";
import { gapMatch } from "../gap-match/attack.ts";
import { extrapolate, recoveryCurve, type ScoredSearch } from "./recovery-curve.ts";
import { StudyModel } from "./study-model.ts";
import { StudyOutput, type StudyResult } from "./study-output.ts";
import { STUDY_FLAGS, listed, studyFlags } from "./study-flags.ts";

export interface GapStudy {
  readonly model: StudyModel;
  readonly attacked: readonly CalibrationPrompt[];
  readonly calibration: readonly CalibrationPrompt[];
  readonly layer: number;
  /** Difference of neighbouring visible positions: gap - 1 tokens are missing. */
  readonly gap: number;
  /** Position of the visible row. */
  readonly position: number;
  /** Is the visible row's token known (layer 0 in the clear)? */
  readonly ownKnown: boolean;
  readonly budget: number;
  /** Most guesses of an exhaustive check; 0: none. */
  readonly exhaustive: number;
  /** Lines of text passed over before the first that is attacked. */
  readonly skip: number;
  readonly seed: number;
  readonly report: (doing: string) => void;
}

const BUDGETS = [1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7];

/** 1e4, 2.5e5, ... */
const shortPower = (passes: number): string => passes.toExponential().replace("+", "");

/** Curve, extrapolation, certificates, speed; what exhaustive search says of the same gaps. */
export async function studyGapMatch(study: GapStudy): Promise<StudyResult> {
  const { model, attacked, layer, gap, position, budget, seed } = study;
  const { engine } = model;
  const options = gapMatch.parseOptions({});
  const opening = await openingLogits(engine);
  const { measure, right, wrong, epsilon } = await calibrateGap(engine, layer, study.calibration);
  const probes = study.ownKnown ? null : await model.ownProbes(layer, options.trainingTokens, seed);
  const searches: ScoredSearch[] = [];
  const exhausted: { agrees: number; margin: number }[] = [];
  let seconds = 0;
  const missing = gap - 1;
  for (const { ids, view } of attacked) {
    const truth = ids.slice(position - missing, position + 1);
    const observed = view.rows("row", layer).get(position)!;
    const forward = new PrefixForward(engine);
    await forward.extend(ids.slice(0, position - missing));
    const own = probes?.rank(position, observed, options.ownCandidates).ids ?? [ids[position]];
    const row = { forward, layer, missing, observed, measure, opening };
    const task: GapTask = { ...row, own, ownKnown: probes === null, epsilon, passes: budget };
    const started = performance.now();
    const answer = await searchGap(task);
    seconds += (performance.now() - started) / 1000;
    searches.push({ truth, answer, budget });
    const solved = answer.best.tokens.every((token, at) => token === truth[at]);
    study.report(`layer ${layer}, gap ${gap}: ${solved ? "solved" : "not solved"}, ${answer.passes} passes`);
    const vocabulary = engine.spec.vocabulary;
    const everyOwn = probes === null ? own : Array.from({ length: vocabulary }, (_, id) => id);
    if (vocabulary ** missing * everyOwn.length <= study.exhaustive) {
      const { best, second } = await exhaustGap({ ...task, own: everyOwn }, study.exhaustive);
      const agrees = best.tokens.every((token, at) => token === answer.best.tokens[at]) ? 1 : 0;
      exhausted.push({ agrees, margin: Math.log10(second.distance / best.distance) });
      study.report(`exhaustive: ${best.tokens.every((token, at) => token === truth[at])}, agrees ${agrees}`);
    }
  }
  const certified = searches.filter(({ answer }) => answer.certified);
  const wrongOnes = certified.filter(({ truth, answer }) =>
    answer.best.tokens.some((token, at) => token !== truth[at]),
  );
  const passes = searches.reduce((sum, { answer }) => sum + answer.passes, 0);
  const over = (values: readonly number[]): unknown => bootstrapInterval(values, seed);
  const curve = recoveryCurve(
    searches,
    [...new Set([...BUDGETS, budget])].sort((a, b) => a - b),
    seed,
  );
  return {
    study: "gap-match",
    setting: settingOf(study),
    figures: {
      ...Object.fromEntries(curve.map((point) => [`exactAt${shortPower(point.passes)}`, point.exact])),
      ...Object.fromEntries(
        curve.flatMap((point) =>
          point.missing === null ? [] : [[`missingAt${shortPower(point.passes)}`, point.missing]],
        ),
      ),
      own: curve.at(-1)?.own ?? null,
      certified: certified.length,
      certifiedWrong: wrongOnes.length,
      right,
      wrong,
      passesPerSecond: Math.round(passes / seconds),
      ...extrapolationFigures(searches, passes / seconds, seed),
      ...(exhausted.length === 0
        ? {}
        : {
            exhaustiveAgrees: over(exhausted.map(({ agrees }) => agrees)),
            exhaustiveMarginDecades: over(exhausted.map(({ margin }) => margin)),
          }),
    },
    n: attacked.length,
    seed,
  };
}

const settingOf = (study: GapStudy): StudyResult["setting"] => ({
  model: study.model.name,
  layer: study.layer,
  gap: study.gap,
  position: study.position,
  own: study.ownKnown ? "known" : "hidden",
  budget: study.budget,
  ...(study.skip > 0 ? { skip: study.skip } : {}),
  ...(study.exhaustive > 0 ? { exhaustiveUpTo: study.exhaustive } : {}),
});

/** Decades of passes, and hours on this machine at the speed of these searches. */
function extrapolationFigures(
  searches: readonly ScoredSearch[],
  perSecond: number,
  seed: number,
): Record<string, number> {
  const hours = (log10: number): number => Number((10 ** log10 / perSecond / 3600).toPrecision(3));
  return Object.fromEntries(
    (extrapolate(searches, seed) ?? []).flatMap(({ share, log10Passes, low, high }) => [
      [`passes${share * 100}PercentLog10`, log10Passes],
      [`passes${share * 100}PercentLog10Low`, low],
      [`passes${share * 100}PercentLog10High`, high],
      [`hours${share * 100}Percent`, hours(log10Passes)],
    ]),
  );
}

async function main(): Promise<void> {
  const values = studyFlags(
    z.strictObject({
      model: z.string().optional(),
      layers: listed(z.int().min(0), "1"),
      gaps: listed(z.int().min(1), "1,2,3,4,8"),
      prompts: z.int().min(0).default(20),
      calibration: z.int().min(0).default(3),
      position: z.int().min(0).default(20),
      budget: z.int().min(0).default(100000),
      exhaustive: z.int().min(0).default(0),
      ownKnown: z.boolean().default(false),
      ...STUDY_FLAGS,
    }),
  );
  const output = new StudyOutput(values.out ?? null);
  const report = (doing: string): void => void process.stderr.write(`${doing}\n`);
  const model = await StudyModel.open(values.model ?? null);
  const { position, budget, exhaustive } = values;
  const { skip, seed } = values;
  try {
    const prompts = await model.prompts(values.prompts, values.calibration, position + 4, skip);
    for (const layer of values.layers)
      for (const gap of values.gaps) {
        const { ownKnown } = values;
        const study = { model, ...prompts, layer, gap, position, ownKnown, budget, exhaustive, skip, seed, report };
        if (output.has({ study: "gap-match", setting: settingOf(study), seed })) continue;
        const startedAt = performance.now();
        output.write(await studyGapMatch(study), startedAt);
      }
  } finally {
    await model.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
