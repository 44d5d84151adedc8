/**
 * Study: which tokens of other nodes does a CompNode read off the partial results of layer 0 (additive decode), and which value rows does
 * it read off those of any layer (partial softmax)?
 * Verdict rule, fixed before the run: layer 0 in the clear leaks by sums where the interval of hidden accuracy lies above that of the prior
 * control; a certificate that is ever wrong voids the run, and so does one on noise. Value rows count as exact below a relative
 * error of 1e-5 (float32). With 6 prompts of 64 tokens and a deviation of 0.05 between prompts, differences of 0.06 are found.
 *
 * node --import tsx experiments/attacks/studies/additive-decode.ts --settings 1x2x1,2x4x1 --wire float16 --merge plain --prompts 6 --out FILE
 * node --import tsx experiments/attacks/studies/additive-decode.ts --method partial-softmax --layers 0,1,4 --settings 1x4x1 --out FILE
 */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { compName } from "../../../protocols/cascade/party-name.ts";
import type { Attack, PublicKnowledge, Recovery } from "../../lab/attack.ts";
import { noiseView } from "../../lab/noise-view.ts";
import { additiveDecode } from "../additive-decode/attack.ts";
import { partialSoftmax, seenValueRows } from "../partial-softmax/attack.ts";
import { bootstrapInterval } from "../../lab/statistics/bootstrap.ts";
import { promptIds, trainingText } from "../run/texts.ts";
import type { RecordedSession } from "../../lab/views/recording-parties.ts";
import { CURVE_FILES } from "./curve-texts.ts";
import { StudyModel } from "./study-model.ts";
import { StudyOutput, type StudyResult } from "./study-output.ts";
import { STUDY_FLAGS, listed, sharding, studyFlags } from "./study-flags.ts";

export interface AdditiveStudy {
  /** null: the default model. */
  readonly modelPath: string | null;
  readonly method: "additive-decode" | "partial-softmax";
  readonly setting: { readonly c: number; readonly alpha: number; readonly m: number };
  readonly wire: "float32" | "float16";
  readonly merge: "plain" | "masked";
  readonly smpcLayers: string;
  readonly layer: number;
  readonly options: Readonly<Record<string, unknown>>;
  readonly prompts: number;
  /** Prompts that the attack runs on again as noise. */
  readonly noisePrompts: number;
  readonly tokens: number;
  /** Lines of text passed over before the first that is attacked. */
  readonly skip: number;
  readonly seed: number;
}

/** Characters of public text for the prior control and the probes. */
const TRAINING_CHARACTERS = 1_000_000;

/** Figures of one prompt. */
interface Found {
  readonly figures: Readonly<Record<string, number>>;
  readonly certifiedWrong: number;
  readonly noiseCertified: number;
}

/** One row: means over prompts with their intervals, and counts. */
export async function studyAdditive(study: AdditiveStudy): Promise<StudyResult> {
  const { setting, wire, merge, smpcLayers, layer, seed } = study;
  const model = await StudyModel.open(study.modelPath, { ...setting, wire, merge, smpcLayers });
  try {
    const file = fileURLToPath(new URL("../texts/heldout.txt", import.meta.url));
    const ids = await promptIds(
      { prompts: { file, skip: study.skip, count: study.prompts, calibration: 0, tokens: study.tokens } },
      ".",
      model.encode,
    );
    const training = { file: CURVE_FILES.trainingFile, notSources: ["sotu"], characters: TRAINING_CHARACTERS };
    const attack = (study.method === "additive-decode" ? additiveDecode : partialSoftmax) as Attack<unknown>;
    const { engine, encode } = model;
    const prepared = await attack.prepare(
      {
        model: model.model,
        engine,
        encode,
        training: await trainingText({ training }, "."),
        layer,
        calibration: [],
        seed,
        report: () => undefined,
      },
      attack.parseOptions(study.options),
    );
    const found: Found[] = [];
    for (const [at, line] of ids.attacked.entries()) {
      process.stderr.write(`${study.method} ${JSON.stringify({ ...setting, layer })}: prompt ${at + 1}\n`);
      const session = await model.parties.record(line);
      const knowledge = { model: model.model, engine, description: session.description, schedule: session.schedule };
      const own = at % setting.alpha; // another CompNode each prompt
      const view = session.view([compName(own)]);
      const budget = { forwardPasses: 0, seed: seed + at };
      const startedAt = performance.now();
      const recovery = await prepared.recover(view, knowledge, budget);
      const seconds = (performance.now() - startedAt) / 1000;
      const hidden = line.flatMap((_, t) => (session.schedule.r.owner(t) === own ? [] : [t]));
      const prior = await prepared.prior(view, knowledge, budget);
      const noise =
        at < study.noisePrompts ? await prepared.recover(noiseView(view, seed + at), knowledge, budget) : null;
      const certified = hidden.filter((t) => recovery.certified.has(t));
      const seen = hidden.filter((t) => recovery.guesses.has(t));
      const figures = {
        hiddenAccuracy: accuracy(recovery, hidden, line),
        hiddenSeen: seen.length / hidden.length,
        ...(seen.length === 0 ? {} : { seenAccuracy: accuracy(recovery, seen, line) }),
        certified: certified.length / hidden.length,
        prior: accuracy(prior, hidden, line),
        ...(noise === null ? {} : { noise: accuracy(noise, hidden, line) }),
        ...(study.method === "partial-softmax" ? valueFigures(session, knowledge, own, layer) : {}),
        seconds,
      };
      const certifiedWrong = certified.filter((t) => recovery.guesses.get(t)![0] !== line[t]).length;
      found.push({ figures, certifiedWrong, noiseCertified: noise?.certified.size ?? 0 });
    }
    await prepared.close();
    return {
      study: study.method,
      setting: settingOf(study, model.name),
      figures: {
        ...intervals(found, seed),
        certifiedWrong: sum(found.map((prompt) => prompt.certifiedWrong)),
        noiseCertified: sum(found.map((prompt) => prompt.noiseCertified)),
      },
      n: study.prompts,
      seed,
    };
  } finally {
    await model.close();
  }
}

/** Value rows that came out, by the keys of their sums, and their largest error relative to the row's size. */
function valueFigures(
  session: RecordedSession,
  knowledge: PublicKnowledge,
  own: number,
  layer: number,
): Record<string, number> {
  const all = session.view(Array.from({ length: knowledge.schedule.r.parts }, (_, i) => compName(i)));
  const truth = all.rows("v", layer);
  const figures: Record<string, number> = {};
  for (const keys of [1, 2]) {
    const rows = seenValueRows(session.view([compName(own)]), knowledge, layer).filter(
      (row) => row.keys === keys && knowledge.schedule.r.owner(row.position) !== own,
    );
    const errors = rows.map(({ position, values }) => {
      const right = Float64Array.from(truth.get(position)!);
      const size = Math.sqrt(right.reduce((total, x) => total + x * x, 0));
      return Math.sqrt(values.reduce((total, x, i) => total + (x - right[i]) ** 2, 0)) / size;
    });
    const name = keys === 1 ? "single" : "second";
    figures[`${name}ValueRows`] = rows.length;
    if (rows.length > 0) figures[`${name}LargestError`] = Math.max(...errors);
  }
  return figures;
}

const accuracy = ({ guesses }: Recovery, positions: readonly number[], ids: readonly number[]): number =>
  positions.filter((t) => guesses.get(t)?.[0] === ids[t]).length / positions.length;

function intervals(found: readonly Found[], seed: number): Record<string, unknown> {
  const names = [...new Set(found.flatMap(({ figures }) => Object.keys(figures)))];
  return Object.fromEntries(
    names.map((name) => {
      const values = found.flatMap(({ figures }) => (name in figures ? [figures[name]] : []));
      return [name, name.endsWith("LargestError") ? Math.max(...values) : bootstrapInterval(values, seed)];
    }),
  );
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

const settingOf = (study: AdditiveStudy, model: string): StudyResult["setting"] => ({
  model,
  ...study.setting,
  gap: study.setting.c * (study.setting.alpha - 1) + 1,
  wire: study.wire,
  merge: study.merge,
  smpcLayers: study.smpcLayers,
  layer: study.layer,
  tokens: study.tokens,
  ...(study.skip > 0 ? { skip: study.skip } : {}),
  options: JSON.stringify(study.options),
});

async function main(): Promise<void> {
  const values = studyFlags(
    z.strictObject({
      model: z.string().optional(),
      method: z.enum(["additive-decode", "partial-softmax"]).default("additive-decode"),
      options: z.string().default("{}"),
      settings: listed(sharding, "1x2x1,1x4x1,1x8x1,2x2x1,2x4x1,2x8x1,4x2x1,4x4x1,4x8x1,8x2x1,8x4x1,8x8x1"),
      wire: z.enum(["float32", "float16"]).default("float32"),
      merge: z.enum(["plain", "masked"]).default("plain"),
      smpcLayers: z.string().default("none"),
      layers: listed(z.int().min(0), "0"),
      prompts: z.int().min(0).default(6),
      noisePrompts: z.int().min(0).default(1),
      tokens: z.int().min(0).default(64),
      ...STUDY_FLAGS,
    }),
  );
  const output = new StudyOutput(values.out ?? null);
  for (const name of values.settings)
    for (const layer of values.layers) {
      const [c, alpha, m] = name.split("x").map(Number);
      const study: AdditiveStudy = {
        modelPath: values.model ?? null,
        method: values.method,
        setting: { c, alpha, m },
        wire: values.wire,
        merge: values.merge,
        smpcLayers: values.smpcLayers,
        layer,
        options: JSON.parse(values.options) as Record<string, unknown>,
        prompts: values.prompts,
        noisePrompts: values.noisePrompts,
        tokens: values.tokens,
        skip: values.skip,
        seed: values.seed,
      };
      const named = values.model === undefined ? "default" : path.basename(path.dirname(path.resolve(values.model)));
      if (output.has({ study: study.method, setting: settingOf(study, named), seed: study.seed })) continue;
      const startedAt = performance.now();
      output.write(await studyAdditive(study), startedAt);
    }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
