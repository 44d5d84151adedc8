import { networkTotals } from "../../wire/counters.ts";
import type { ClientSession } from "../client/client.ts";
import type { Deployment } from "../deployment/deployment.ts";
import type { CostedModel } from "./expected-cost.ts";
import type { PartyReport } from "./party-report.ts";
import type { RunRecord } from "./run-record.ts";

export type SessionCosts = Pick<
  RunRecord,
  | "payloadBytes"
  | "expectedPayloadBytes"
  | "framingBytes"
  | "controlBytes"
  | "messages"
  | "rounds"
  | "expectedRounds"
  | "phases"
>;

const CASCADE_PHASES = ["input", "pre-pass", "scale", "attention-pass", "output"] as const;
const SMPC_PHASES = ["deal", "share", "online", "take", "give", "ahead", "handover"] as const;

/** The counters of all parties of an ended session beside what the declared costs say for the `steps` that were taken. */
export async function sessionCosts(
  deployment: Deployment,
  session: ClientSession,
  reports: readonly PartyReport[],
  model: CostedModel,
  steps: number,
): Promise<SessionCosts> {
  const { expectedCost } = await import("./expected-cost.ts"); // mathjs takes a third of a second to load
  const number = session.number;
  const totals = networkTotals(
    [...reports.map(({ counters }) => counters), deployment.client.counters.snapshot()],
    number,
  );
  const expected = expectedCost(session.description, model, steps, session.program);
  const ofCascade = CASCADE_PHASES.filter((phase) => phase !== "scale" || session.schedule.isMasked);
  const isAtClient = session.program?.hasClientGates === true;
  const ofShares = SMPC_PHASES.filter((phase) => isAtClient || !["take", "give", "ahead"].includes(phase));
  const phases = (session.program === null ? ofCascade : ([...ofShares, ...ofCascade] as const)).map((phase) => ({
    phase,
    payloadBytes: totals.phases[phase]?.payloadBytes ?? 0,
    expectedPayloadBytes: expected[phase].payloadBytes,
    framingBytes: totals.phases[phase]?.framingBytes ?? 0,
    messages: totals.phases[phase]?.messages ?? 0,
    expectedMessages: expected[phase].messages,
  }));
  return {
    payloadBytes: totals.payloadBytes,
    expectedPayloadBytes: phases.reduce((sum, phase) => sum + phase.expectedPayloadBytes, 0),
    framingBytes: totals.framingBytes,
    controlBytes: totals.controlBytes,
    messages: totals.messages,
    rounds: totals.rounds[String(number)] ?? 0,
    expectedRounds: Object.values(expected).reduce((sum, { rounds }) => sum + rounds, 0),
    phases,
  };
}
