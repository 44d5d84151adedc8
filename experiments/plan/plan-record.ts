import { z } from "zod";
import { runConfig } from "../../protocols/fusion/config/run-config.ts";
import { TRADE_NAMES } from "../../protocols/smpc/lowering/trade.ts";
import { runRecord } from "../../protocols/fusion/record/run-record.ts";
import { STANDINGS } from "./evidence.ts";
import { EVIDENCE } from "./leak/party-evidence.ts";
import { RULES } from "./leak/read-positions.ts";

const bytes = z.int().min(0);
const count = z.int().min(0);

const nodes = z.strictObject({
  minGap: z
    .int()
    .nullable()
    .describe("smallest gap that any of them sees; 1: one sees every position; null: none sees two clusters"),
  maxCluster: z.int().describe("positions in a row that any of them sees"),
});

/** One point of the front. */
export const plannedPoint = z.strictObject({
  point: z.int().min(1).describe("its number, by estimated seconds"),
  preset: runConfig.shape.preset.unwrap().nullable().describe("the preset of this placement; null: there is none"),
  cascade: z
    .strictObject({ alpha: count, c: count, m: count, merge: runConfig.shape.merge.unwrap() })
    .nullable()
    .describe("the sharding of the layers in Cascade; null: there are none"),
  smpc: z
    .strictObject({ placement: z.string(), layers: z.array(count), parties: count, trade: z.enum(TRADE_NAMES) })
    .nullable()
    .describe("the layers under SMPC; null: there are none"),
  machines: count.describe("one for each role, the client apart"),
  payloadBytes: bytes.describe("all that is sent, by the declared costs"),
  onlineBytes: bytes.describe("of it, what is sent while somebody waits"),
  dealtBytes: bytes.describe("of it, seeds and explicit words, which go ahead"),
  messages: count,
  rounds: count,
  multiplyAdds: z.number().min(0),
  smpcMultiplyAdds: z.number().min(0).describe("of them, on words of layers under SMPC"),
  seconds: z.number().min(0).describe("by the time model"),
  idsSeen: z.boolean().describe("does any node get token ids"),
  rowsSeen: z
    .strictObject({ first: count, last: count })
    .nullable()
    .describe("rows before these layers are seen in the clear; the number of layers: after the last; null: none"),
  compNodes: nodes,
  attnNodes: nodes,
  colluders: count.nullable().describe("SMPC parties that must collude; null: there are none"),
  evidence: z
    .strictObject({
      standing: z.enum(STANDINGS).describe("no clear row: all layers are under SMPC; the others: a CompNode reads on"),
      says: z
        .array(z.string())
        .describe("what records of this setting and model say, the worst first, and what is known of any"),
    })
    .describe("what is known of attacks on it; unknown is not safe"),
});

export type PlannedPoint = z.infer<typeof plannedPoint>;

/** The JSON of `weir plan`. */
export const planRecord = z.strictObject({
  model: z.strictObject({ name: z.string(), fingerprint: z.string() }),
  layers: count,
  promptLength: count,
  newTokens: count,
  roles: z.enum(["a machine each", "simulation"]).describe("simulation: roles share machines, nothing is secret there"),
  time: z.string().describe("what the seconds assume"),
  candidates: count.describe("evaluated"),
  feasible: count.describe("of them, within all limits"),
  leftOut: z
    .array(z.strictObject({ placement: z.string(), reason: z.string() }))
    .describe("placements whose layers fit into no 64-bit ring"),
  front: z.array(plannedPoint),
  steps: z
    .array(
      z.strictObject({
        point: z.int(),
        moreSeconds: z.number(),
        moreOnlineBytes: z.int(),
        moreDealtBytes: z.int(),
        moreRounds: z.int(),
      }),
    )
    .describe(
      "from the cheapest point, each the cheapest that shows strictly less than the one before; more than that one",
    ),
  whyClearRows: z
    .string()
    .nullable()
    .describe("why no point has all layers under SMPC, without which nodes hold clear rows; null: one has"),
  chosen: z.strictObject({
    point: z.int().describe("as asked; else of the points against which least is known the one of least seconds"),
    config: z.record(z.string(), z.unknown()).nullable().describe("for weir run; null for an encoder"),
    parties: runRecord.shape.parties.describe("the ledger ahead of the run"),
    concluded: z
      .strictObject({
        parties: z.array(z.string()).describe("the one node that concludes most"),
        evidence: z.enum(EVIDENCE).describe("proved: it concludes nothing; unknown is not safe"),
        tokens: count.describe("positions whose tokens it concludes"),
        of: count.describe("secret positions"),
        rules: z.array(z.enum(RULES)),
        passes: z.number().min(0).describe("through the layers below, of all of them"),
      })
      .describe("the leak model's word, from the schedule alone"),
  }),
});

export type PlanRecord = z.infer<typeof planRecord>;
