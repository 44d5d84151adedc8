import path from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { compName } from "../../protocols/cascade/party-name.ts";
import { attackConfig } from "../attacks/run/attack-config.ts";
import { METRICS } from "../lab/metric.ts";
import { runExperiment } from "../attacks/run/run-experiment.ts";
import type { Measure } from "../lab/measure.ts";

/** Where the default model's training text is made. */
const TRAINING = fileURLToPath(new URL("../../models/recipe/build/train.jsonl", import.meta.url));

const options = z.strictObject({
  attack: z.string().describe("name of an attack of the lab"),
  options: z.record(z.string(), z.unknown()).default({}).describe("the attack's own"),
  layer: z.int().min(0).describe("whose rows, projections or partial results are read"),
  coalition: z
    .array(z.string().min(1))
    .min(1)
    .default([compName(0)]),
  forwardPasses: z.int().min(1).default(100_000).describe("budget a prompt"),
  calibration: z.int().min(0).default(2).describe("other prompts, whose tokens the attacker knows"),
  metric: z.enum(METRICS).default("hiddenAccuracy"),
  breaks: z.number().min(0).max(1).default(0.9),
  training: z
    .strictObject({ file: z.string(), notSources: z.array(z.string()).default([]) })
    .optional()
    .describe("public text for probes (default: what the default model's was made of, but the prompts' source)"),
});

/** Share of a prompt that a coalition recovers by one attack, beside its controls. */
export const leak: Measure<z.infer<typeof options>> = {
  name: "leak",
  says: "share of the tokens that a coalition recovers by an attack of the lab from its recorded views, beside its controls",
  version: 1,
  options,
  isOfNetwork: false,
  seconds: (prompts) => 30 + 15 * prompts,
  async run({ question, folder, setting, prompts, tokens, report }, given) {
    const { file, skip } = question.workload;
    const training = given.training ?? { file: TRAINING, notSources: ["sotu"] };
    const config = attackConfig.parse({
      id: question.id,
      question: question.question,
      ...(question.model === undefined ? {} : { model: path.resolve(question.model) }),
      attack: { name: given.attack, options: given.options },
      prompts: { file, skip, count: prompts.length, tokens, calibration: given.calibration },
      training,
      grid: { settings: [setting], layers: [given.layer], coalitions: [given.coalition] },
      forwardPasses: given.forwardPasses,
      seed: question.seed,
      verdict: { metric: given.metric, breaks: given.breaks, minimumDetectableEffect: 0.1 },
      controls: {
        positive: { setting: { alpha: 1, smpcLayers: "none" }, metric: "wholeAccuracy", atLeast: 0.95 },
        negative: { atMostAbovePrior: 0.1 },
      },
    });
    const [record] = await runExperiment(config, { folder, out: null, report });
    return {
      source: "run",
      verdict: record.verdict,
      ...(record.void === null ? {} : { void: record.void }),
      figures: {
        ...record.scores,
        priorHiddenAccuracy: record.prior.hiddenAccuracy ?? null,
        leak: record.leak,
        certifiedShare: record.certified,
        certifiedWrong: record.certifiedWrong,
        forwardPasses: record.forwardPasses,
        attackSeconds: record.run.attackSeconds,
      },
    };
  },
};
