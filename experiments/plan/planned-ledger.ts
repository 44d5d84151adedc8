/**
 * The exposure ledger ahead of a run: the schedule is public, so what every party will receive and compute is known before any does.
 * A real ledger is fed with what the parties' code (protocols/cascade/comp-node.ts, attn-node.ts, protocols/fusion/node/smpc-party.ts) will give it.
 */
import type { ComputedKind } from "../../protocols/cascade/session.ts";
import { NO_LAYER } from "../../protocols/cascade/session.ts";
import { CLIENT, attnName, compName, smpcName } from "../../protocols/cascade/party-name.ts";
import type { Schedule } from "../../protocols/cascade/schedule.ts";
import { Ledger, type Exposure } from "../../protocols/fusion/record/ledger.ts";
import type { Role } from "../../protocols/wire/messages.ts";

/** Shows that a tensor was there; ledgers note positions, not words. */
const ANY_TENSOR = { data: new Float32Array(1), shape: [1, 1] };

/** What every node will have seen at the end of a session with the LM head at the client, by party. */
export function plannedExposures(schedule: Schedule): ReadonlyMap<string, Exposure> {
  const ledgers = new Map<string, Ledger>();
  const isCascade = schedule.segments.some(({ kind }) => kind === "cascade");
  const names = [
    ...(isCascade ? range(schedule.alpha).map(compName) : []),
    ...(isCascade ? range(schedule.beta).flatMap((j) => range(schedule.beta).map((k) => attnName(j, k))) : []),
    ...range(schedule.parties).map(smpcName),
  ];
  for (const name of names) ledgers.set(name, new Ledger(schedule, name));
  for (let step = 0; step < schedule.steps; step++) {
    const owners = range(schedule.alpha).filter((i) => schedule.rows(step, i).length > 0);
    for (const { kind, from, to } of schedule.segments)
      if (kind === "cascade") cascadeSegment(schedule, ledgers, owners, step, from, to);
      else smpcSegment(schedule, ledgers, owners, step, from, to);
  }
  return new Map([...ledgers].map(([name, ledger]) => [name, ledger.exposure()]));
}

type Ledgers = ReadonlyMap<string, Ledger>;

function cascadeSegment(
  schedule: Schedule,
  ledgers: Ledgers,
  owners: readonly number[],
  step: number,
  from: number,
  to: number,
): void {
  const receive = (party: string, peer: string, role: Role, layer: number): void =>
    ledgers.get(party)!.received(peer, { session: 0, role, layer, step });
  if (schedule.isMasked)
    for (let layer = from; layer < to; layer++)
      for (const j of range(schedule.beta)) {
        const asked = schedule.askedOf(step, layer, j);
        for (const k of asked)
          for (const other of asked) if (other !== k) receive(attnName(j, k), attnName(j, other), "scale", layer);
      }
  for (const i of owners) {
    const comp = compName(i);
    const ledger = ledgers.get(comp)!;
    const positions = schedule.rows(step, i);
    const compute = (kind: ComputedKind, layer: number): void =>
      ledger.computed(kind, layer, step, positions, ANY_TENSOR);
    if (from === 0) receive(comp, CLIENT, "ids", NO_LAYER);
    for (let layer = from; layer < to; layer++) {
      for (const kind of ["row", "q", "k", "v", "attended"] as const) compute(kind, layer);
      for (const { j, k, queryRows, keyRows } of schedule.ownWork(step, layer, i)) {
        const attn = attnName(j, k);
        if (keyRows.length > 0) receive(attn, comp, "kv", layer);
        if (queryRows.length === 0) continue;
        receive(attn, comp, "q", layer);
        receive(comp, attn, schedule.isMasked ? "masked" : "partial", layer);
      }
    }
    compute("row", to);
  }
}

function smpcSegment(
  schedule: Schedule,
  ledgers: Ledgers,
  owners: readonly number[],
  step: number,
  from: number,
  to: number,
): void {
  const parties = range(schedule.parties).map(smpcName);
  const receive = (party: string, peer: string, role: Role, layer: number): void =>
    ledgers.get(party)!.received(peer, { session: 0, role, layer, step });
  const holders = from === 0 ? [CLIENT] : owners.map(compName);
  for (const party of parties) {
    for (const holder of holders) receive(party, holder, "shares", from);
    for (const peer of parties) if (peer !== party) receive(party, peer, "opened", from);
    if (to < schedule.layers) for (const i of owners) receive(compName(i), party, "handover", to);
  }
}

const range = (length: number): number[] => Array.from({ length }, (_, at) => at);
