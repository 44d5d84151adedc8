/**
 * Counters that are always on: what each link carried in each direction, by session, layer and role; the same in memory and over
 * sockets. A frame's framing is its header of 48 bytes and the WebSocket header that its length and direction imply (RFC 6455);
 * TLS records and TCP are not counted. Control messages and heartbeats are counted apart and are all framing.
 *
 * Rounds are by dependency: a message carries 1 + the largest round that its sender had received in that session (a Lamport
 * depth), so the largest round of a session is the length of its longest chain of messages. What is dealt to SMPC parties depends on
 * nothing and carries 1.
 */
import { MESSAGES, type Phase, type Role } from "./messages.ts";

export type Direction = "sent" | "received";

/** Tensors of one link and direction under one session, layer and role. */
export interface TensorCount {
  readonly peer: string;
  readonly direction: Direction;
  readonly session: number;
  readonly layer: number;
  readonly role: Role;
  readonly phase: Phase;
  /** Whole tensors, however many chunks. */
  messages: number;
  payloadBytes: number;
  framingBytes: number;
}

/** Control messages or heartbeats of one link and direction. */
export interface PlainCount {
  readonly peer: string;
  readonly direction: Direction;
  messages: number;
  /** Header, JSON and WebSocket header together. */
  bytes: number;
}

/** Counters of one party as plain JSON. */
export interface CounterSnapshot {
  readonly party: string;
  readonly tensors: TensorCount[];
  readonly control: PlainCount[];
  readonly heartbeats: PlainCount[];
  /** Longest chain of messages seen, by session. */
  readonly rounds: Record<string, number>;
  /** Messages that came after their session was closed, and were dropped. */
  readonly late: { messages: number; payloadBytes: number };
}

/** Sums over all parties: each message once, as its sender counted it. */
export interface NetworkTotals {
  messages: number;
  payloadBytes: number;
  framingBytes: number;
  controlBytes: number;
  heartbeatBytes: number;
  /** Longest chain, by session. */
  rounds: Record<string, number>;
  phases: Record<string, { messages: number; payloadBytes: number; framingBytes: number }>;
}

/** Counters of one party. */
export class Counters {
  readonly #party: string;
  readonly #tensors = new Map<string, Map<number, Map<number, TensorCount>>>();
  readonly #control = new Map<string, PlainCount>();
  readonly #heartbeats = new Map<string, PlainCount>();
  readonly #rounds = new Map<number, number>();
  #lateMessages = 0;
  #latePayloadBytes = 0;

  constructor(party: string) {
    this.#party = party;
  }

  /** Counts one tensor frame; `first` says that it begins a message. */
  countTensor(
    direction: Direction,
    peer: string,
    place: { session: number; layer: number; role: Role; round: number },
    payloadBytes: number,
    framingBytes: number,
    first: boolean,
  ): void {
    const { session, layer, role, round } = place;
    const link = entry(this.#tensors, direction + peer, () => new Map<number, Map<number, TensorCount>>());
    const bySession = entry(link, session, () => new Map<number, TensorCount>());
    const { code, phase } = MESSAGES[role];
    const count = entry(bySession, layer * 256 + code, () => ({
      peer,
      direction,
      session,
      layer,
      role,
      phase,
      messages: 0,
      payloadBytes: 0,
      framingBytes: 0,
    }));
    if (first) count.messages++;
    count.payloadBytes += payloadBytes;
    count.framingBytes += framingBytes;
    if (round > (this.#rounds.get(session) ?? 0)) this.#rounds.set(session, round);
  }

  countControl(direction: Direction, peer: string, bytes: number): void {
    countPlain(this.#control, direction, peer, bytes);
  }

  countHeartbeat(direction: Direction, peer: string, bytes: number): void {
    countPlain(this.#heartbeats, direction, peer, bytes);
  }

  countLate(payloadBytes: number): void {
    this.#lateMessages++;
    this.#latePayloadBytes += payloadBytes;
  }

  /** All counts as plain JSON, sorted, so that equal traffic gives equal snapshots. */
  snapshot(): CounterSnapshot {
    const tensors: TensorCount[] = [];
    for (const link of this.#tensors.values()) {
      for (const bySession of link.values()) for (const count of bySession.values()) tensors.push({ ...count });
    }
    tensors.sort(
      (a, b) =>
        compare(a.peer, b.peer) ||
        compare(b.direction, a.direction) ||
        a.session - b.session ||
        a.layer - b.layer ||
        MESSAGES[a.role].code - MESSAGES[b.role].code,
    );
    const sessions = [...this.#rounds].sort((a, b) => a[0] - b[0]);
    return {
      party: this.#party,
      tensors,
      control: plainCounts(this.#control),
      heartbeats: plainCounts(this.#heartbeats),
      rounds: Object.fromEntries(sessions),
      late: { messages: this.#lateMessages, payloadBytes: this.#latePayloadBytes },
    };
  }
}

/** Network totals of all parties' snapshots, of one session or of all: each message is counted once, at its sender. */
export function networkTotals(snapshots: readonly CounterSnapshot[], session?: number): NetworkTotals {
  const totals: NetworkTotals = {
    messages: 0,
    payloadBytes: 0,
    framingBytes: 0,
    controlBytes: 0,
    heartbeatBytes: 0,
    rounds: {},
    phases: {},
  };
  for (const snapshot of snapshots) {
    for (const count of snapshot.tensors) {
      if (count.direction !== "sent" || (session !== undefined && count.session !== session)) continue;
      const phase = (totals.phases[count.phase] ??= { messages: 0, payloadBytes: 0, framingBytes: 0 });
      for (const sum of [totals, phase]) {
        sum.messages += count.messages;
        sum.payloadBytes += count.payloadBytes;
        sum.framingBytes += count.framingBytes;
      }
    }
    for (const count of snapshot.control) if (count.direction === "sent") totals.controlBytes += count.bytes;
    for (const count of snapshot.heartbeats) if (count.direction === "sent") totals.heartbeatBytes += count.bytes;
    for (const [name, rounds] of Object.entries(snapshot.rounds)) {
      if (session === undefined || name === String(session))
        totals.rounds[name] = Math.max(totals.rounds[name] ?? 0, rounds);
    }
  }
  return totals;
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

function countPlain(map: Map<string, PlainCount>, direction: Direction, peer: string, bytes: number): void {
  const count = entry(map, direction + peer, () => ({ peer, direction, messages: 0, bytes: 0 }));
  count.messages++;
  count.bytes += bytes;
}

const plainCounts = (map: Map<string, PlainCount>): PlainCount[] =>
  [...map.values()]
    .map((count) => ({ ...count }))
    .sort((a, b) => compare(a.peer, b.peer) || compare(b.direction, a.direction));

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
