/** The config of an experiment: question, verdict rule and sizes are written down before it runs. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { compName } from "../../../protocols/cascade/party-name.ts";
import { METRICS } from "../../lab/metric.ts";
import { readJson } from "../../lab/read-json.ts";

const setting = z.record(z.string(), z.unknown()).describe("keys of a run config: alpha, c, m, smpcLayers, wire, ...");
const coalition = z.array(z.string().min(1)).min(1);

export const attackConfig = z.strictObject({
  id: z.string().regex(/^[a-z0-9-]+$/, "lower-case words joined by -"),
  question: z.string().min(10),
  model: z.string().optional().describe("folder or .gguf file; default: the model that comes with weir"),
  attack: z.strictObject({ name: z.string(), options: z.record(z.string(), z.unknown()).default({}) }),
  prompts: z.strictObject({
    file: z.string().describe("texts, one a line; relative to the config"),
    skip: z.int().min(0).optional().describe("lines passed over before the first: those that an attacker was tuned on"),
    count: z.int().min(1).describe("lines attacked, from there on"),
    tokens: z.int().min(2).describe("every text is cut to so many"),
    steps: z.int().min(1).optional().describe("the last tokens come one by one, so that a session has so many steps"),
    calibration: z
      .int()
      .min(0)
      .default(0)
      .describe("other texts, from the last line on, whose tokens the attacker knows"),
  }),
  training: z
    .strictObject({
      file: z.string().describe("texts, one a line, or lines of JSON with text and source; relative to the config"),
      notSources: z.array(z.string()).default([]).describe("sources that are left out: the domain of the prompts"),
      characters: z.int().min(0).default(400_000).describe("most of them"),
    })
    .describe("public text that probes learn from"),
  grid: z.strictObject({
    settings: z.array(setting).min(1),
    layers: z.array(z.int().min(0)).min(1).default([1]).describe("whose input rows, projections or partial results"),
    coalitions: z
      .array(coalition)
      .min(1)
      .default([[compName(0)]]),
  }),
  forwardPasses: z.int().min(1).default(100_000).describe("budget a prompt"),
  seed: z.int().min(0).default(0),
  verdict: z.strictObject({
    metric: z.enum(METRICS),
    breaks: z.number().min(0).max(1).describe("a mean of at least this is a break"),
    minimumDetectableEffect: z
      .number()
      .gt(0)
      .max(1)
      .describe("difference from the prior that the number of prompts can show"),
  }),
  controls: z.strictObject({
    positive: z.strictObject({
      setting,
      coalition: coalition.default([compName(0)]),
      layer: z.int().min(0).optional(),
      metric: z.enum(METRICS),
      withoutIds: z.boolean().default(true).describe("the attacker isn't told the ids that the nodes got"),
      atLeast: z.number().min(0).max(1),
    }),
    negative: z.strictObject({ atMostAbovePrior: z.number().min(0).max(1) }),
  }),
});

export type AttackConfig = z.infer<typeof attackConfig>;

/** Reads a config. Throws Error naming the file, the key, what was expected and what came. */
export function readAttackConfig(file: string): Promise<AttackConfig> {
  return readJson(file, attackConfig, file);
}

/** What a config means, in 16 hex digits: records of other configs aren't resumed. */
export function configHash(config: AttackConfig): string {
  return createHash("sha256").update(JSON.stringify(config)).digest("hex").slice(0, 16);
}
