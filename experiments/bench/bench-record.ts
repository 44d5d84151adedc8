import { z } from "zod";

const measured = z.strictObject({ minimum: z.number(), median: z.number(), values: z.array(z.number()) });
const memory = z.strictObject({
  residentBytes: z.number(),
  proportionalBytes: z.number(),
  sharedBytes: z.number(),
  privateBytes: z.number(),
});

/** The JSON of `weir bench`. Ratios compare medians of the same interleaved run. */
export const benchRecord = z.strictObject({
  machine: z.strictObject({
    cpu: z.string(),
    cores: z.int(),
    memoryBytes: z.int(),
    node: z.string(),
    loadAverage: z.number(),
  }),
  model: z.strictObject({ name: z.string(), fingerprint: z.string() }),
  tokens: z.int().describe("N: tokens of the prompt"),
  rounds: z.int(),
  prefill: z
    .strictObject({
      unit: z.literal("CPU seconds of all processes"),
      unsharded: measured,
      alpha1: measured,
      alpha1Ratio: z.number(),
      alpha8: measured,
      alpha8Ratio: z.number(),
      alpha8Seconds: z.number().describe("wall time of the prefill, median"),
    })
    .optional(),
  decode: z
    .strictObject({
      unit: z.literal("tokens a second"),
      alpha: z.int(),
      beta: z.int(),
      unsharded: measured,
      sharded: measured,
      ratio: z.number(),
    })
    .optional(),
  memory: z
    .strictObject({
      compNodes: z.array(memory),
      attnNodes: z.array(memory),
      client: memory,
      totalProportionalBytes: z.number(),
      totalResidentBytes: z.number(),
    })
    .optional(),
  bytes: z
    .array(
      z.strictObject({
        alpha: z.int(),
        m: z.int(),
        payloadBytes: z.int(),
        expectedPayloadBytes: z.int(),
        framingShare: z.number(),
        rounds: z.int(),
        expectedRounds: z.int(),
      }),
    )
    .optional(),
});

export type BenchRecord = z.infer<typeof benchRecord>;
