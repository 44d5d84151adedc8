import { hostname } from "node:os";
import { uncheckedSites } from "../../smpc/plan/unchecked-sites.ts";
import type { FailedRow } from "../../smpc/run/hand-over.ts";
import type { ClientSession } from "../client/client.ts";
import type { PartyReport } from "./party-report.ts";
import type { RunRecord } from "./run-record.ts";
import type { SessionCosts } from "./session-costs.ts";

/** What the layers under SMPC did in an ended session; null where there are none. `machines`: a topology's, by party. */
export function smpcRecord(
  session: ClientSession,
  reports: readonly PartyReport[],
  { phases }: Pick<SessionCosts, "phases">,
  machines: Readonly<Record<string, string>> | undefined,
): RunRecord["smpc"] {
  const { smpc } = session.description;
  if (smpc === null) return null;
  const bytesOf = (name: string): number => phases.find(({ phase }) => phase === name)!.payloadBytes;
  const { layers, parties, dealer } = smpc;
  // Each round is one message from every party to every other.
  const opened = phases.find(({ phase }) => phase === "online")!.messages;
  return {
    layers: [...layers],
    parties,
    dealer,
    machines: new Set(
      machines === undefined ? [hostname(), ...reports.map(({ host }) => host)] : Object.values(machines),
    ).size,
    onlineBytes: bytesOf("online"),
    dealtBytes: bytesOf("deal"),
    sharedBytes: bytesOf("share"),
    handoverBytes: bytesOf("handover"),
    rounds: opened / (parties * (parties - 1)),
    dealerSeconds: session.dealerSeconds + reports.reduce((sum, { dealerSeconds }) => sum + dealerSeconds, 0),
    failedRows: allFailedRows(session, reports),
    notChecked: session.program!.segments.flatMap((_, index) => uncheckedSites(session.program!.plan(index, 0))),
  };
}

/** Rows that failed a check anywhere, each place once, by position. */
function allFailedRows(session: ClientSession, reports: readonly PartyReport[]): FailedRow[] {
  const all = [...session.failedRows, ...reports.flatMap(({ failedRows }) => failedRows)];
  const places = new Map(all.map((row) => [`${row.position} ${row.site}`, row]));
  return [...places.values()].sort((a, b) => a.position - b.position);
}

/** The failed rows in words, for people. */
export function failureText(rows: readonly FailedRow[]): string {
  const shown = rows.slice(0, 3).map(({ position, site }) => `position ${position} at ${site}`);
  const more = rows.length > shown.length ? ` and ${rows.length - shown.length} more` : "";
  return `rows under SMPC: expected values within their ranges, got ${shown.join(", ")}${more}; what follows from them is wrong (weir calibrate widens ranges)`;
}
