import { HIDING_PRESET } from "../config/presets.ts";
import type { RunConfig } from "../config/run-config.ts";
import { conclusions, isHidden, type ConcludedSession } from "./conclusions.ts";
import type { machineExposures, PartyExposure } from "./join-exposures.ts";
import type { RunRecord } from "./run-record.ts";

/** What the parties of an ended session can conclude, and what hiding it would have cost. */
export async function concludedRecord(
  session: ConcludedSession,
  parties: readonly PartyExposure[],
  machines: ReturnType<typeof machineExposures>,
  config: RunConfig,
): Promise<Pick<RunRecord, "conclusions" | "isHidden" | "hiding">> {
  const shared = Object.values(machines).map((joined) => ({ parties: joined.parties, exposure: joined }));
  const concluded = conclusions(session, parties, shared);
  if (isHidden(concluded)) return { conclusions: concluded, isHidden: true, hiding: null };
  const { hidingCost } = await import("./hiding-cost.ts"); // mathjs takes a third of a second to load
  const cost = hidingCost(session.description, config, session.model, session.steps);
  return { conclusions: concluded, isHidden: false, hiding: { preset: HIDING_PRESET, ...cost } };
}
