import type { StepResult } from "../../../protocols/fusion/client/client.ts";
import type { PartyTimes, TimedParty } from "./online-clock.ts";

/** One step of a session, and what it took. */
export interface TimedStep {
  readonly result: StepResult;
  /** By party: its online phase, or its answers ahead of time. */
  readonly times: readonly PartyTimes[];
  /** From rows shared and correlations dealt to shares of the last rows; where all is delegated, from the client's rows to its rows. */
  readonly seconds: number;
  /** CPU seconds of this process from the client's rows to its rows. */
  readonly clientCpuSeconds: number;
}

/**
 * Takes a step with the parties' phases held until all are ready for them. `answersAhead`: parties 1 and up answer before the client begins
 * and party 0 waits for the client; else all wait for its shares first.
 */
export async function timedStep(
  parties: readonly TimedParty[],
  answersAhead: boolean,
  step: () => Promise<StepResult>,
): Promise<TimedStep> {
  return answersAhead ? delegatedStep(parties, step) : sharedStep(parties, step);
}

async function sharedStep(parties: readonly TimedParty[], step: () => Promise<StepResult>): Promise<TimedStep> {
  const walk = async (): Promise<PartyTimes[]> => {
    await received(parties);
    return compute(parties);
  };
  const cpuAtStart = process.cpuUsage();
  const [times, result] = await Promise.all([walk(), step()]);
  const clientCpuSeconds = cpuSince(cpuAtStart);
  return { result, times, seconds: Math.max(...times.map((each) => each.seconds)), clientCpuSeconds };
}

async function delegatedStep(parties: readonly TimedParty[], step: () => Promise<StepResult>): Promise<TimedStep> {
  const [first, ...others] = parties;
  await received(parties);
  const ahead = await compute(others);
  const online = first.compute();
  const [cpuAtStart, startedAt] = [process.cpuUsage(), performance.now()];
  const result = await step();
  const seconds = (performance.now() - startedAt) / 1000;
  const clientCpuSeconds = cpuSince(cpuAtStart);
  return { result, times: [await online, ...ahead], seconds, clientCpuSeconds };
}

const received = (parties: readonly TimedParty[]): Promise<void[]> =>
  Promise.all(parties.map((party) => party.received()));

const compute = (parties: readonly TimedParty[]): Promise<PartyTimes[]> =>
  Promise.all(parties.map((party) => party.compute()));

function cpuSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}
