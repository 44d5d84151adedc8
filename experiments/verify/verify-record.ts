import { z } from "zod";

const reading = z.strictObject({
  maxHiddenError: z.number().describe("largest absolute difference of a hidden state that the golden file holds"),
  maxHiddenRelativeError: z
    .number()
    .describe("the same over the largest magnitude in that tensor, or 1 if that is smaller"),
  maxLogitError: z
    .number()
    .nullable()
    .describe("largest absolute difference of a logit; null where the file holds none"),
  maxLogitRelativeError: z.number().nullable(),
  topTokensEqual: z.boolean().nullable().describe("is the most likely token of every row the same"),
  greedyEqual: z.boolean().nullable().describe("are all greedily generated tokens the same"),
});

/** The JSON of `weir verify`. */
export const verifyRecord = z.strictObject({
  ok: z.boolean(),
  model: z.string(),
  golden: z.string(),
  prompts: z.int(),
  tolerance: z.number().describe("bound on both relative errors"),
  unsharded: reading,
  sharded: reading,
  shape: z.strictObject({ alpha: z.int(), beta: z.int(), place: z.string(), wire: z.string() }),
  bytes: z.strictObject({ payloadBytes: z.int(), expectedPayloadBytes: z.int(), framingBytes: z.int() }),
});

export type VerifyRecord = z.infer<typeof verifyRecord>;
export type ReadingErrors = z.infer<typeof reading>;
