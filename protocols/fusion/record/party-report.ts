import type { CounterSnapshot } from "../../wire/counters.ts";
import type { FailedRow } from "../../smpc/run/hand-over.ts";
import type { Exposure } from "./ledger.ts";

/** What a party says of a session when it ends: figures and positions, never values. */
export interface PartyReport {
  readonly party: string;
  /** Process that the party lives in; parties of one process report the same CPU time. */
  readonly pid: number;
  readonly host: string;
  /** CPU seconds of the process from the session's opening to its end, user and system. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly counters: CounterSnapshot;
  readonly exposure: Exposure;
  /** Rows that SMPC parties handed over to this party and that failed a check. */
  readonly failedRows: readonly FailedRow[];
  /** Seconds that a dealer computed; 0 for others. */
  readonly dealerSeconds: number;
}

/** CPU seconds of all processes of a session; processes that host several parties count once. */
export function totalCpuSeconds(reports: readonly Pick<PartyReport, "host" | "pid" | "cpuSeconds">[]): number {
  const processes = new Map(reports.map(({ host, pid, cpuSeconds }) => [`${host}/${pid}`, cpuSeconds]));
  return [...processes.values()].reduce((sum, seconds) => sum + seconds, 0);
}
