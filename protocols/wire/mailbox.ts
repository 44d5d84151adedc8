/**
 * Where messages meet the receives that wait for them, by (session, layer, part, step, role, peer), in any order of arrival.
 * A session is open from its first send or receive here until it is closed; messages before that are held up to a bound, messages
 * after it are dropped. Every message is taken once, and a second one under the same key is an error, even long after the first.
 */
import type { Expectation, MessageKey, WireTensor } from "./endpoint.ts";
import {
  DeadlineError,
  DuplicateMessageError,
  MailboxFullError,
  SessionClosedError,
  ShapeError,
  UnknownSessionError,
} from "./errors.ts";
import type { FrameHeader, FrameWord } from "./frame.ts";
import type { WireLimits } from "./limits.ts";
import { unpackPayload } from "./payload.ts";

interface Stored {
  readonly header: FrameHeader;
  readonly bytes: Uint8Array;
}

interface Waiter {
  readonly peer: string;
  readonly key: MessageKey;
  readonly expect: Expectation;
  readonly deadlineMs: number;
  readonly resolve: (tensor: WireTensor) => void;
  readonly reject: (reason: Error) => void;
}

interface Session {
  open: boolean;
  /** Word of floats, checked on arrival at a receive. */
  word: FrameWord;
  /** Largest round among the messages taken. */
  depth: number;
  readonly stored: Map<string, Stored>;
  readonly waiters: Map<string, Waiter>;
  /** A bit for each layer (shifted by one) of every (peer, role, step, part) that has arrived. */
  readonly arrived: Map<string, Uint32Array>;
}

interface PeerBox {
  unreadBytes: number;
  waiters: number;
}

/** What remembering one message costs beside its payload, roughly: it bounds the number of empty messages. */
const MESSAGE_OVERHEAD_BYTES = 256;

/** All messages of one party. Times are those of the endpoint's clock, in milliseconds. */
export class Mailbox {
  readonly #limits: WireLimits;
  readonly #word: FrameWord;
  readonly #onLate: (payloadBytes: number) => void;
  readonly #sessions = new Map<number, Session>();
  readonly #closed = new Set<number>();
  readonly #peers = new Map<string, PeerBox>();
  #earlyMessages = 0;
  #earlyBytes = 0;

  /** `word` is what floats travel in unless a session says otherwise; `onLate` hears of messages to closed sessions. */
  constructor(limits: WireLimits, word: FrameWord, onLate: (payloadBytes: number) => void) {
    this.#limits = limits;
    this.#word = word;
    this.#onLate = onLate;
  }

  /** Opens a session, if it is not open. Throws SessionClosedError where it was closed before. */
  open(session: number, word?: FrameWord): { word: FrameWord; depth: number } {
    const found = this.#sessions.get(session);
    if (found?.open) {
      if (word !== undefined) found.word = word;
      return found;
    }
    if (this.#closed.has(session))
      throw new SessionClosedError(`session ${session}: expected an open session, got a closed one`);
    const opened = found ?? this.#create(session);
    opened.open = true;
    opened.word = word ?? this.#word;
    for (const { bytes } of opened.stored.values()) {
      this.#earlyMessages--;
      this.#earlyBytes -= bytes.byteLength;
    }
    return opened;
  }

  /** Takes in a message. Throws DuplicateMessageError, UnknownSessionError, MailboxFullError. */
  deliver(peer: string, header: FrameHeader, bytes: Uint8Array): void {
    const { session: number } = header;
    let session = this.#sessions.get(number);
    if (!session) {
      if (this.#closed.has(number)) {
        this.#onLate(bytes.byteLength);
        return;
      }
      session = this.#create(number);
    }
    const id = idOf(peer, header);
    if (!markArrived(session.arrived, peer, header)) {
      throw new DuplicateMessageError(peer, `message ${describe(peer, header)}: expected it once, got it twice`);
    }
    const waiter = session.waiters.get(id);
    if (waiter) {
      this.#settle(session, id, waiter);
      this.#hand(session, waiter, { header, bytes });
      return;
    }
    const box = this.#box(peer);
    box.unreadBytes += bytes.byteLength + MESSAGE_OVERHEAD_BYTES;
    if (box.unreadBytes > this.#limits.maxUnreadBytes) {
      const bound = `at most ${this.#limits.maxUnreadBytes} unread bytes (maxUnreadBytes)`;
      throw new MailboxFullError(peer, `mailbox of ${peer}: expected ${bound}, got ${box.unreadBytes}`);
    }
    session.stored.set(id, { header, bytes });
    if (!session.open) this.#holdEarly(peer, number, bytes.byteLength);
  }

  /** The message under this key, now or when it comes; DeadlineError once the clock passes `deadlineMs`. */
  receive(peer: string, key: MessageKey, expect: Expectation, deadlineMs: number): Promise<WireTensor> {
    this.open(key.session);
    const session = this.#sessions.get(key.session) as Session;
    const id = idOf(peer, key);
    const stored = session.stored.get(id);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { peer, key, expect, deadlineMs, resolve, reject };
      if (stored) {
        session.stored.delete(id);
        this.#box(peer).unreadBytes -= stored.bytes.byteLength + MESSAGE_OVERHEAD_BYTES;
        this.#hand(session, waiter, stored);
      } else if (session.waiters.has(id) || hasArrived(session.arrived, peer, key)) {
        reject(new DuplicateMessageError(null, `receive of ${describe(peer, key)}: expected one, got a second`));
      } else {
        session.waiters.set(id, waiter);
        this.#box(peer).waiters++;
      }
    });
  }

  unreadBytes(peer: string): number {
    return this.#peers.get(peer)?.unreadBytes ?? 0;
  }

  /** Does a receive wait for this peer? */
  isAwaited(peer: string): boolean {
    return (this.#peers.get(peer)?.waiters ?? 0) > 0;
  }

  /** Rejects what has waited too long. */
  expire(nowMs: number): void {
    for (const session of this.#sessions.values()) {
      for (const [id, waiter] of session.waiters) {
        if (nowMs < waiter.deadlineMs) continue;
        this.#settle(session, id, waiter);
        const got = "got nothing; see whether the peer still computes, or raise receiveMs";
        const what = `message ${describe(waiter.peer, waiter.key)}`;
        waiter.reject(
          new DeadlineError(
            waiter.peer,
            `${what}: expected within ${waiter.expect.deadlineMs ?? this.#limits.receiveMs} ms, ${got}`,
          ),
        );
      }
    }
  }

  /** Closes a session: pending receives reject with `reason`, unread messages are forgotten, later ones dropped. */
  closeSession(number: number, reason: Error | null): void {
    const session = this.#sessions.get(number);
    this.#sessions.delete(number);
    this.#closed.add(number);
    if (this.#closed.size > this.#limits.maxClosedSessions) {
      for (const oldest of this.#closed) {
        this.#closed.delete(oldest);
        break;
      }
    }
    if (!session) return;
    for (const [id, { bytes }] of session.stored) {
      if (!session.open) {
        this.#earlyMessages--;
        this.#earlyBytes -= bytes.byteLength;
      }
      this.#box(id.slice(0, id.indexOf("\n"))).unreadBytes -= bytes.byteLength + MESSAGE_OVERHEAD_BYTES;
    }
    const error = reason ?? new SessionClosedError(`session ${number}: expected it open, got closed by this party`);
    for (const [id, waiter] of session.waiters) {
      this.#settle(session, id, waiter);
      waiter.reject(error);
    }
  }

  /** Rejects pending receives from `peer` (null: from everybody) with `reason`. What has arrived can still be received. */
  rejectPending(peer: string | null, reason: Error): void {
    for (const session of this.#sessions.values()) {
      for (const [id, waiter] of session.waiters) {
        if (peer !== null && waiter.peer !== peer) continue;
        this.#settle(session, id, waiter);
        waiter.reject(reason);
      }
    }
  }

  /** Has this message arrived, unread? */
  holds(peer: string, key: MessageKey): boolean {
    return this.#sessions.get(key.session)?.stored.has(idOf(peer, key)) ?? false;
  }

  #create(number: number): Session {
    const session: Session = {
      open: false,
      word: this.#word,
      depth: 0,
      stored: new Map(),
      waiters: new Map(),
      arrived: new Map(),
    };
    this.#sessions.set(number, session);
    return session;
  }

  #holdEarly(peer: string, session: number, bytes: number): void {
    this.#earlyMessages++;
    this.#earlyBytes += bytes;
    const { maxEarlyMessages, maxEarlyBytes } = this.#limits;
    if (this.#earlyMessages <= maxEarlyMessages && this.#earlyBytes <= maxEarlyBytes) return;
    const bound = `at most ${maxEarlyMessages} messages and ${maxEarlyBytes} bytes (maxEarlyMessages, maxEarlyBytes)`;
    const got = `${this.#earlyMessages} messages and ${this.#earlyBytes} bytes, the last from ${peer} for session ${session}`;
    throw new UnknownSessionError(peer, `messages of sessions not open here: expected ${bound}, got ${got}`);
  }

  #hand(session: Session, waiter: Waiter, { header, bytes }: Stored): void {
    const { expect, peer, key } = waiter;
    const word = expect.word === "float" ? session.word : expect.word;
    const fits = header.rows === expect.shape[0] && header.columns === expect.shape[1] && header.word === word;
    if (!fits) {
      const wanted = `[${expect.shape[0]}, ${expect.shape[1]}] ${word}`;
      const got = `[${header.rows}, ${header.columns}] ${header.word}`;
      waiter.reject(new ShapeError(peer, `message ${describe(peer, key)}: expected ${wanted}, got ${got}`));
      return;
    }
    if (header.round > session.depth) session.depth = header.round;
    waiter.resolve(unpackPayload(bytes, header.word, header.rows, header.columns));
  }

  #settle(session: Session, id: string, waiter: Waiter): void {
    session.waiters.delete(id);
    this.#box(waiter.peer).waiters--;
  }

  #box(peer: string): PeerBox {
    let box = this.#peers.get(peer);
    if (!box) this.#peers.set(peer, (box = { unreadBytes: 0, waiters: 0 }));
    return box;
  }
}

type Place = Pick<FrameHeader, "session" | "layer" | "step" | "role"> & { readonly part?: number };

const idOf = (peer: string, { layer, part = 0, step, role }: Place): string =>
  `${peer}\n${layer} ${part} ${step} ${role}`;

/** A message in words, for errors: "q of layer 3, step 0, session 17 from comp-2". */
export const describe = (peer: string, { session, layer, part = 0, step, role }: Place): string =>
  `${role} of layer ${layer}, step ${step}${part > 0 ? `, part ${part}` : ""}, session ${session} from ${peer}`;

/** Layers with a message of one peer, role, step and part are the bits of one entry. */
const arrivalOf = (peer: string, { part = 0, step, role }: Place): string => `${peer}\n${part} ${step} ${role}`;

/** Marks a message as arrived; false where it was already. */
function markArrived(arrived: Map<string, Uint32Array>, peer: string, place: Place): boolean {
  const id = arrivalOf(peer, place);
  const bit = place.layer + 1;
  const at = bit >>> 5;
  let bits = arrived.get(id);
  if (!bits || at >= bits.length) {
    const wider = new Uint32Array(at + 1);
    if (bits) wider.set(bits);
    arrived.set(id, (bits = wider));
  }
  if (bits[at] & (1 << (bit & 31))) return false;
  bits[at] |= 1 << (bit & 31);
  return true;
}

function hasArrived(arrived: Map<string, Uint32Array>, peer: string, place: Place): boolean {
  const bits = arrived.get(arrivalOf(peer, place));
  const bit = place.layer + 1;
  return bits !== undefined && (bits[bit >>> 5] & (1 << (bit & 31))) !== 0;
}
