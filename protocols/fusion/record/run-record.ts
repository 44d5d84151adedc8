import { z } from "zod";
import { EFFORTS } from "./conclusions.ts";

const bytes = z.int().min(0);
const positions = z.array(z.int().min(0));

const exposure = z.strictObject({
  positions: positions.describe("positions whose own tensors the party saw"),
  kinds: z.record(z.string(), z.strictObject({ layers: z.array(z.int()), positions })),
  minGap: z.int().nullable().describe("smallest gap between clusters of those positions; null: no gap"),
  maxCluster: z.int().describe("longest run of consecutive positions"),
  minGapWithRevealed: z.int().nullable().describe("the same, with positions whose V row a partial result gave away"),
  maxClusterWithRevealed: z.int(),
});

/** What a run cost and what its parties saw: the JSON of `weir run --json`. */
export const runRecord = z.strictObject({
  text: z.string().describe("generated text, without special tokens"),
  promptIds: z.array(z.int()).describe("of the whole prompt, public tokens first"),
  publicPrefixLength: z.int().min(0).describe("how many of them are public"),
  generatedIds: z.array(z.int()).describe("a stop token that ended the generation included"),
  stopped: z.enum(["stop-token", "max-tokens"]),
  seconds: z.number().describe("from the first id sent to the last token, start-up apart"),
  firstTokenSeconds: z.number().describe("from the first id sent to the first token"),
  startupSeconds: z.number().describe("from the start of the command to the session being open"),
  cpuSeconds: z.number().describe("of all processes, from the session's opening to its end"),
  payloadBytes: bytes.describe("tensor payload sent, all parties summed"),
  expectedPayloadBytes: bytes.describe("the same by the declared cost expressions"),
  framingBytes: bytes.describe("frame and WebSocket headers of the tensor messages"),
  controlBytes: bytes.describe("control messages and handshakes"),
  messages: z.int(),
  rounds: z.int().describe("longest chain of dependent messages"),
  expectedRounds: z.int(),
  phases: z.array(
    z.strictObject({
      phase: z.string(),
      payloadBytes: bytes,
      expectedPayloadBytes: bytes,
      framingBytes: bytes,
      messages: z.int(),
      expectedMessages: z.int(),
    }),
  ),
  smpc: z
    .strictObject({
      layers: z.array(z.int().min(0)),
      parties: z.int(),
      dealer: z.enum(["client", "dealer"]),
      machines: z
        .int()
        .describe("different hosts among the parties; 1: a simulation, secret from nobody on that machine"),
      onlineBytes: bytes.describe("openings, all SMPC parties summed"),
      dealtBytes: bytes.describe("seeds (those between the parties too) and explicit words, a step ahead included"),
      sharedBytes: bytes.describe("shares of rows into the SMPC parties"),
      handoverBytes: bytes.describe("shares of rows out of them, check words and tags included"),
      rounds: z.int().describe("openings that follow one another, all steps"),
      dealerSeconds: z.number(),
      failedRows: z
        .array(z.strictObject({ position: z.int(), site: z.string() }))
        .describe("rows whose values left the range of a site: they, and what follows from them, are wrong"),
      notChecked: z
        .array(z.string())
        .describe(
          "sites of an observed range that nothing checks: a value beyond it makes its row wrong without a word",
        ),
    })
    .nullable()
    .describe("the layers under SMPC; null: none"),
  parties: z.record(z.string(), exposure),
  machines: z
    .record(z.string(), z.strictObject({ parties: z.array(z.string()), ...exposure.shape }))
    .describe("a topology's machines that have several parties: their views joined"),
  conclusions: z
    .array(
      z.strictObject({
        parties: z.array(z.string()),
        together: z
          .enum(["machine", "collusion"])
          .nullable()
          .describe("why several parties are named: they share a machine, or could collude; null: it is one party"),
        findings: z.array(
          z.strictObject({
            // definition: of a finding; test: tests/protocols/fusion/conclusions.test.ts
            positions: positions.describe("positions whose tokens it gives away, public ones apart"),
            share: z.enum(["every", "most"]).describe("of these tokens"),
            how: z.string(),
            effort: z.enum(EFFORTS).describe("for a prompt, on a machine such as those of the evidence"),
            evidence: z.string().describe("a page of weir, and where in it"),
          }),
        ),
      }),
    )
    // proof: secrecy of open; proof: secrecy of a server; record: cells-share-words.ndjson: verdict == no leak found; record: cells-taken-words.ndjson: verdict == no leak found
    .describe("what can be concluded from what was seen; no findings: nothing but lengths"),
  // test: tests/protocols/fusion/conclusions.test.ts
  isHidden: z.boolean().describe("no single party, nor who has a machine, can conclude more than lengths"),
  hiding: z
    .strictObject({ preset: z.string(), payloadBytes: bytes, rounds: z.int().min(0) })
    .nullable()
    .describe("the preset that would have hidden it, and its declared cost here; null: hidden already"),
  model: z.strictObject({ name: z.string(), fingerprint: z.string() }),
  config: z.record(z.string(), z.unknown()),
});

export type RunRecord = z.infer<typeof runRecord>;
