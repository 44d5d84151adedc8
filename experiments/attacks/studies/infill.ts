/**
 * Study: how much of what a CompNode doesn't see does an infiller reconstruct, by (c, alpha, m), with its rows and without?
 * Verdict rule, fixed before the run: a setting fails where ROUGE-L on the hidden tokens alone is above 0.5 and is safe where it stays
 * below 0.25, both for the best infiller; rows leak where the interval of the difference to the prior lies above 0. With 40 prompts and
 * a deviation of 0.1 between prompts, differences of 0.045 are found (two-sided 5 %, power 80 %).
 *
 * node --import tsx experiments/attacks/studies/infill.ts --attack infill --settings 1x2x1,2x4x1 --prompts 40 --out records/infill.ndjson
 */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { compName } from "../../../protocols/cascade/party-name.ts";
import { noiseView } from "../../lab/noise-view.ts";
import { bootstrapInterval } from "../../lab/statistics/bootstrap.ts";
import { score, type Scores, type Seen } from "../../lab/score.ts";
import { attackNamed } from "../registry.ts";
import type { CalibrationPrompt, PublicKnowledge, Recovery, TrainingText } from "../../lab/attack.ts";
import { promptIds, trainingText } from "../run/texts.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";
import { StudyModel } from "./study-model.ts";
import { StudyOutput, type StudyResult } from "./study-output.ts";
import { STUDY_FLAGS, listed, sharding, studyFlags } from "./study-flags.ts";

export interface InfillSetting {
  readonly c: number;
  readonly alpha: number;
  readonly m: number;
}

export interface InfillStudy {
  /** With the parties of `setting`. */
  readonly model: StudyModel;
  readonly attack: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly setting: InfillSetting;
  /** Layer whose rows a matching infiller reads; the network reads its own layers. */
  readonly layer: number;
  /** The node isn't told its ids: what it would see with layer 0 under SMPC. */
  readonly withoutIds: boolean;
  /** Public text of another domain: what a probe learns from that reads own tokens which the node wasn't told. */
  readonly training: TrainingText;
  readonly prompts: number;
  readonly calibration: number;
  /** Prompts of the noise control. */
  readonly noise: number;
  readonly tokens: number;
  /** Lines of text passed over before the first that is attacked. */
  readonly skip: number;
  readonly seed: number;
  readonly report: (doing: string) => void;
}

type Metric = "hiddenAccuracy" | "hiddenRougeL" | "ownAccuracy" | "wholeRougeL";
const METRICS: readonly Metric[] = ["hiddenAccuracy", "hiddenRougeL", "ownAccuracy", "wholeRougeL"];
/** Which CompNode's view is attacked: another one each prompt. */
const partyOf = (prompt: number, alpha: number): string => compName(prompt % alpha);

/** Token accuracy and ROUGE-L with rows, without them, on noise, and the difference; each a mean over prompts with its interval. */
export async function studyInfill(study: InfillStudy): Promise<StudyResult> {
  const { model, setting, seed, report } = study;
  const attack = attackNamed(study.attack);
  const file = fileURLToPath(new URL("../texts/heldout.txt", import.meta.url));
  const { prompts: count, calibration, tokens, skip } = study;
  const ids = await promptIds({ prompts: { file, skip, count, calibration, tokens } }, ".", model.encode);
  const seenIn = (line: readonly number[], at: number): Promise<SeenPrompt> => seenPrompt(study, line, at);
  const others: CalibrationPrompt[] = [];
  for (const [at, line] of ids.calibration.entries()) others.push({ ids: line, view: (await seenIn(line, at)).view });
  const prepared = await attack.prepare(
    {
      model: model.model,
      engine: model.engine,
      encode: model.encode,
      training: study.training,
      layer: study.layer,
      calibration: others,
      seed,
      report,
    },
    attack.parseOptions(study.options),
  );
  const found: { rows: Scores; prior: Scores; noise: Scores | null }[] = [];
  let passes = 0;
  let weight: number | null = null;
  for (const [at, line] of ids.attacked.entries()) {
    report(`${study.attack} ${JSON.stringify(setting)}: prompt ${at + 1} of ${count}`);
    const { view, seen, knowledge } = await seenIn(line, at);
    const budget = { forwardPasses: Number.MAX_SAFE_INTEGER, seed: seed + at };
    const scored = (recovery: Recovery): Scores => score(line, seen, recovery);
    const recovery = await prepared.recover(view, knowledge, budget);
    passes += recovery.forwardPasses;
    weight = recovery.figures.weight ?? weight;
    found.push({
      rows: scored(recovery),
      prior: scored(await prepared.prior(view, knowledge, budget)),
      noise: at < study.noise ? scored(await prepared.recover(noiseView(view, seed + at), knowledge, budget)) : null,
    });
  }
  await prepared.close();
  return {
    study: "infill",
    setting: settingOf(study),
    figures: {
      ...figuresOf(found, seed),
      forwardPasses: passes / count,
      ...(weight === null ? {} : { rowWeight: weight }),
    },
    n: count,
    seed,
  };
}

/** A prompt as one CompNode saw it. */
interface SeenPrompt {
  readonly view: RecordedView;
  readonly seen: Seen;
  readonly knowledge: PublicKnowledge;
}

/** What one CompNode saw of a prompt. */
async function seenPrompt(
  { model, setting, withoutIds }: InfillStudy,
  ids: readonly number[],
  at: number,
): Promise<SeenPrompt> {
  const session = await model.parties.record(ids);
  const whole = session.view([partyOf(at, setting.alpha)]);
  const view = withoutIds ? whole.filter(({ kind }) => kind !== "ids") : whole;
  return {
    view,
    seen: { positions: new Set(whole.ids().keys()), ids: view.ids() },
    knowledge: {
      model: model.model,
      engine: model.engine,
      description: session.description,
      schedule: session.schedule,
    },
  };
}

function figuresOf(
  found: readonly { readonly rows: Scores; readonly prior: Scores; readonly noise: Scores | null }[],
  seed: number,
): Record<string, unknown> {
  const figures: Record<string, unknown> = {};
  for (const metric of METRICS) {
    const both = found.filter(({ rows, prior }) => rows[metric] !== null && prior[metric] !== null);
    if (both.length === 0) continue;
    const of = (pick: (scores: (typeof both)[number]) => number): unknown => bootstrapInterval(both.map(pick), seed);
    figures[metric] = of(({ rows }) => rows[metric]!);
    figures[`${metric}Prior`] = of(({ prior }) => prior[metric]!);
    figures[`${metric}Difference`] = of(({ rows, prior }) => rows[metric]! - prior[metric]!);
    const noisy = both.filter(({ noise }) => noise !== null);
    if (noisy.length > 0)
      figures[`${metric}NoiseDifference`] = bootstrapInterval(
        noisy.map(({ noise, prior }) => noise![metric]! - prior[metric]!),
        seed,
      );
  }
  return figures;
}

const settingOf = (study: InfillStudy): StudyResult["setting"] => ({
  model: study.model.name,
  attack: study.attack,
  ...study.setting,
  gap: study.setting.c * (study.setting.alpha - 1) + 1,
  layer: study.layer,
  ids: !study.withoutIds,
  tokens: study.tokens,
  ...(study.skip > 0 ? { skip: study.skip } : {}),
  options: JSON.stringify(study.options),
});

/** "2x4x1" is c = 2, alpha = 4, m = 1. */
function settingNamed(name: string): InfillSetting {
  const [c, alpha, m] = name.split("x").map(Number);
  if (![c, alpha, m].every(Number.isInteger)) throw new Error(`setting: expected CxALPHAxM, got ${name}`);
  return { c, alpha, m };
}

async function main(): Promise<void> {
  const values = studyFlags(
    z.strictObject({
      model: z.string().optional(),
      attack: z.string().default("infill"),
      options: z.string().default("{}"),
      settings: listed(sharding, "1x2x1,1x4x1,1x8x1,2x2x1,2x4x1,2x8x1,4x2x1,4x4x1,4x8x1,8x2x1,8x4x1,8x8x1"),
      layer: z.int().min(0).default(1),
      withoutIds: z.boolean().default(false),
      training: z.string().default("models/recipe/build/train.jsonl"),
      prompts: z.int().min(0).default(40),
      calibration: z.int().min(0).default(4),
      noise: z.int().min(0).default(4),
      tokens: z.int().min(0).default(96),
      ...STUDY_FLAGS,
    }),
  );
  const output = new StudyOutput(values.out ?? null);
  const text = { file: values.training, notSources: ["sotu"], characters: 400_000 };
  const training = values.withoutIds ? await trainingText({ training: text }, ".") : { name: "none", documents: [] };
  for (const name of values.settings) {
    const setting = settingNamed(name);
    const model = await StudyModel.open(values.model ?? null, { ...setting, smpcLayers: "none" });
    try {
      const study: InfillStudy = {
        model,
        attack: values.attack,
        options: JSON.parse(values.options) as Record<string, unknown>,
        setting,
        layer: values.layer,
        withoutIds: values.withoutIds,
        training,
        prompts: values.prompts,
        calibration: values.calibration,
        noise: values.noise,
        tokens: values.tokens,
        skip: values.skip,
        seed: values.seed,
        report: (doing) => void process.stderr.write(`${doing}\n`),
      };
      if (output.has({ study: "infill", setting: settingOf(study), seed: study.seed })) continue;
      const startedAt = performance.now();
      output.write(await studyInfill(study), startedAt);
    } finally {
      await model.close();
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
