/** The record of one cell of an experiment: one line of NDJSON. */
import { z } from "zod";
import { METRICS } from "../../lab/metric.ts";

const interval = z.strictObject({ mean: z.number(), low: z.number(), high: z.number(), n: z.int() });
const scores = z.partialRecord(z.enum(METRICS), interval);

export const cellRecord = z.strictObject({
  experiment: z.string().describe("id of the config"),
  configHash: z.string(),
  attack: z.string(),
  model: z.string(),
  cell: z.strictObject({
    setting: z.record(z.string(), z.unknown()),
    layer: z.int(),
    coalition: z.array(z.string()),
  }),
  seed: z.int(),
  prompts: z.int(),
  tokens: z.int(),
  exposure: z.strictObject({
    seen: z.number().describe("share of the positions that the coalition saw directly"),
    minGap: z.number().nullable(),
    maxCluster: z.int(),
  }),
  scores: scores.describe("mean and 95 % interval over prompts"),
  prior: scores.describe("the same attacker without rows and partial results"),
  leak: interval.describe("attack less prior on the verdict's metric, prompt by prompt"),
  certified: z.number().describe("mean share of positions that the attack itself called proven"),
  certifiedWrong: z.int().describe("of those, wrong ones in all prompts"),
  forwardPasses: z.number().describe("mean a prompt"),
  figures: z.record(z.string(), z.number()).describe("the attack's own numbers, means over prompts"),
  controls: z.strictObject({
    positive: z.strictObject({ metric: z.enum(METRICS), mean: z.number(), atLeast: z.number(), passed: z.boolean() }),
    negative: z.strictObject({
      mean: z.number(),
      prior: z.number(),
      atMostAbovePrior: z.number(),
      passed: z.boolean(),
    }),
  }),
  verdict: z.enum(["breaks", "leaks", "no leak found", "undecided", "void"]),
  void: z.string().nullable().describe("which control failed"),
  run: z.strictObject({
    commit: z.string(),
    dirty: z.boolean(),
    startedAt: z.string(),
    seconds: z.number(),
    attackSeconds: z.number().describe("mean a prompt"),
    node: z.string(),
    cpu: z.string(),
  }),
});

export type CellRecord = z.infer<typeof cellRecord>;

/** What a cell is, apart from when and where it ran: two runs of one seed agree on all of this. */
export function repeatable(record: CellRecord): Omit<CellRecord, "run"> {
  return cellRecord.omit({ run: true }).strip().parse(record);
}
