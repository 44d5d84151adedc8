import { z } from "zod";
import type { Measure } from "../lab/measure.ts";

const ZERO = { payloadBytes: 0 };

/** Bytes, messages and rounds of a session, counted and as declared. */
export const cost: Measure = {
  name: "cost",
  says: "bytes, messages and rounds of a session, by what they are for; counted by the parties, and as declared",
  version: 1,
  options: z.strictObject({}),
  isOfNetwork: false,
  seconds: () => 2,
  async run(lab) {
    const record = await lab.session();
    const of = new Map(record.phases.map((phase) => [phase.phase, phase]));
    const bytes = (...phases: string[]): number =>
      phases.reduce((sum, phase) => sum + (of.get(phase) ?? ZERO).payloadBytes, 0);
    const asDeclared =
      record.rounds === record.expectedRounds &&
      record.phases.every(
        (phase) => phase.payloadBytes === phase.expectedPayloadBytes && phase.messages === phase.expectedMessages,
      );
    const steps = record.generatedIds.length;
    return {
      source: "run",
      figures: {
        payloadBytes: record.payloadBytes,
        payloadBytesAToken: record.payloadBytes / (record.promptIds.length - record.publicPrefixLength + steps - 1),
        onlineBytes: record.payloadBytes - bytes("deal", "ahead"),
        dealtBytes: bytes("deal"),
        aheadBytes: bytes("ahead"),
        framingBytes: record.framingBytes,
        messages: record.messages,
        rounds: record.rounds,
        openings: record.smpc?.rounds ?? 0,
        steps,
        asDeclared,
      },
    };
  },
};
