/** The record of a cell of a question: one line of NDJSON. */
import { z } from "zod";
import { network } from "./question.ts";

const interval = z.strictObject({ mean: z.number(), low: z.number(), high: z.number(), n: z.int() });
/** A number, a word, or a mean with its 95 % interval. Units stand in the name. */
const figure = z.union([z.number(), z.string(), z.boolean(), z.null(), interval]);

export const experimentRecord = z.strictObject({
  version: z.literal(1),
  question: z.string().describe("id of the question"),
  key: z.string().describe("hash of all that the figures depend on: a cell with this key isn't run again"),
  cell: z.strictObject({
    setting: z.record(z.string(), z.unknown()),
    network: network.nullable(),
    measure: z.string(),
    options: z.unknown(),
  }),
  model: z.strictObject({ name: z.string(), fingerprint: z.string() }),
  workload: z.strictObject({
    prompts: z.int(),
    tokens: z.int(),
    publicTokens: z.int(),
    newTokens: z.int(),
    promptsHash: z.string().describe("of all token ids: no prompt stands in a record"),
  }),
  repeats: z.int(),
  seed: z.int(),
  source: z.enum(["run", "declared"]).describe("of real sessions, or of expressions and schedules alone"),
  figures: z.record(z.string(), figure),
  verdict: z.string().nullable(),
  void: z.string().nullable().describe("which control failed, so that the figures say nothing"),
  run: z.strictObject({
    commit: z.string(),
    dirty: z.boolean(),
    startedAt: z.string(),
    seconds: z.number(),
    node: z.string(),
    cpu: z.string(),
  }),
});
export type ExperimentRecord = z.infer<typeof experimentRecord>;
export type Figures = ExperimentRecord["figures"];

/** What a record says, apart from when and where it was made: two runs of a cell that isn't timed agree on it. */
export function repeatable({ run: _run, ...rest }: ExperimentRecord): Omit<ExperimentRecord, "run"> {
  return rest;
}
