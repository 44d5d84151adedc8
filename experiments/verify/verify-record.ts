import { z } from "zod";

const reading = z.strictObject({
  hiddenStates: z
    .array(z.int())
    .describe("I of the hidden states that were compared; those under SMPC are seen by nobody"),
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
  tolerance: z.number().describe("bound on the relative errors of the unsharded model"),
  shardedTolerance: z.number().describe("the same for the sharded one; wider where layers are under SMPC"),
  unsharded: reading,
  sharded: reading,
  shape: z.strictObject({ alpha: z.int(), beta: z.int(), place: z.string(), wire: z.string() }),
  smpc: z
    .strictObject({
      layers: z.array(z.int()),
      parties: z.int(),
      dealer: z.enum(["client", "dealer"]),
      precision: z.string(),
      trade: z.string(),
      failedRows: z.int().describe("rows that left a range; any makes ok false"),
    })
    .nullable()
    .describe("the layers under SMPC; null: none"),
  bytes: z.strictObject({
    payloadBytes: z.int(),
    expectedPayloadBytes: z.int(),
    framingBytes: z.int(),
    rounds: z.int(),
    expectedRounds: z.int(),
  }),
});

export type VerifyRecord = z.infer<typeof verifyRecord>;
export type ReadingErrors = z.infer<typeof reading>;
