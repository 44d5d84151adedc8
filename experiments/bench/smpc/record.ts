import { z } from "zod";

/** The JSON of `weir bench smpc`. Seconds are medians over the measured runs. */
export const smpcBenchRecord = z.strictObject({
  machine: z.strictObject({ cpu: z.string(), cores: z.int(), node: z.string(), loadAverage: z.number() }),
  shape: z.string().describe("of the made-up layers, or the model's name"),
  n: z.int().describe("rows"),
  layers: z.int(),
  parties: z.int(),
  place: z.enum(["processes", "memory"]),
  placement: z.string().describe("of the layers: smpc, delegated, or smpc with groups of gates at the client"),
  precision: z.string(),
  trade: z.string().describe("what the plans save: standard, balanced, few-rounds or few-dealt-words"),
  widths: z.enum(["trained", "observed"]),
  onlineBytes: z.int().describe("payload of all openings, all parties; counted, and equal to the declared cost"),
  takenBytes: z.int().describe("the client's numbers to the first party, online; 0 where it evaluates nothing"),
  givenBytes: z.int().describe("answers to the client, online"),
  aheadBytes: z.int().describe("answers of the other parties ahead of time"),
  dealtBytes: z.int().describe("explicit words of one batch; counted, and equal to the declared cost"),
  rounds: z.int().describe("openings that follow one another"),
  clientMessages: z.int().describe("one-way messages between client and parties that follow one another, rounds apart"),
  framingBytes: z.int().describe("of the openings and of what the client sends and gets online"),
  inputBytes: z.int().describe("shares of rows into the parties, and their seeds"),
  outputBytes: z.int().describe("shares of rows out of them, with check words and tags"),
  runs: z.int().describe("measured"),
  seconds: z
    .number()
    .describe("online phase of the slowest party; where all is delegated, from the client's rows to its rows"),
  secondsOfRuns: z.array(z.number()),
  partyCpuSeconds: z.array(z.number()).describe("online phase, by process; of parties that answer ahead of time, that"),
  clientCpuSeconds: z
    .number()
    .nullable()
    .describe("from the client's rows to its rows, dealing apart; null: in memory"),
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
