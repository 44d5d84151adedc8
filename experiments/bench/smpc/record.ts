import { z } from "zod";

/** The JSON of `weir bench smpc`. Seconds are medians over the measured runs. */
export const smpcBenchRecord = z.strictObject({
  machine: z.strictObject({ cpu: z.string(), cores: z.int(), node: z.string(), loadAverage: z.number() }),
  shape: z.string().describe("of the made-up layers, or the model's name"),
  n: z.int().describe("rows"),
  layers: z.int(),
  parties: z.int(),
  place: z.enum(["processes", "memory"]),
  precision: z.string(),
  trade: z.string().describe("what the plans save: standard, balanced, few-rounds or few-dealt-words"),
  widths: z.enum(["trained", "observed"]),
  onlineBytes: z.int().describe("payload of all openings, all parties; counted, and equal to the declared cost"),
  dealtBytes: z.int().describe("explicit words of one batch; counted, and equal to the declared cost"),
  rounds: z.int().describe("openings that follow one another"),
  framingBytes: z.int().describe("of the openings"),
  inputBytes: z.int().describe("shares of rows into the parties, and their seeds"),
  outputBytes: z.int().describe("shares of rows out of them, with check words and tags"),
  runs: z.int().describe("measured"),
  seconds: z.number().describe("online phase of the slowest party"),
  secondsOfRuns: z.array(z.number()),
  partyCpuSeconds: z.array(z.number()).describe("online phase, by process"),
  dealerSeconds: z.number().describe("CPU seconds to deal one batch"),
  maxAbsError: z.number().describe("of the rows after the last layer, against float64"),
  meanAbsError: z.number(),
  maxAbsOutput: z.number().describe("largest magnitude of these rows"),
  ranges: z.enum(["calibrated", "certified"]),
  residentBytes: z.array(z.int()).describe("largest resident set, by process of the parties"),
  clientResidentBytes: z.int().describe("of the process of client, dealer and reference"),
  failedRows: z.int(),
  cascadePayloadBytes: z.int().describe("the same layers as Cascade with alpha = beta = 4, by the declared costs"),
});

export type SmpcBenchRecord = z.infer<typeof smpcBenchRecord>;
