import type { Link, Transport } from "./transport.ts";

/** Intervals between attempts: short enough that a restarted party is back at once, long enough that an absent one costs nothing. */
const FIRST_MS = 250;
const LONGEST_MS = 5_000;

export interface DialEvents {
  linked(peer: string, link: Link): void;
  failed(peer: string, error: Error): void;
}

/** Makes the links that this party dials: once, and again for a peer that was lost, at growing intervals until it is there or we end. */
export class Dialler {
  readonly #transport: Transport;
  readonly #connectMs: number;
  readonly #events: DialEvents;
  readonly #addresses = new Map<string, string>();
  readonly #attempts = new Map<string, { timer: NodeJS.Timeout; delayMs: number }>();
  #stopped = false;

  /** `connectMs`: how long one attempt may take; a transport asks again within it. */
  constructor(transport: Transport, connectMs: number, events: DialEvents) {
    this.#transport = transport;
    this.#connectMs = connectMs;
    this.#events = events;
  }

  /** One attempt to reach `peer`; an address is remembered for the next ones. Resolves when the events were told, never rejects. */
  async dial(peer: string, address?: string): Promise<void> {
    if (address !== undefined) this.#addresses.set(peer, address);
    try {
      const link = await this.#transport.dial(this.#addresses.get(peer)!, this.#connectMs);
      if (this.#stopped) link.terminate();
      else this.#events.linked(peer, link);
    } catch (error) {
      if (!this.#stopped) this.#events.failed(peer, error as Error);
    }
  }

  /** Plans the next attempt to reach a peer that was lost; nothing where it is the one that dials. */
  again(peer: string): void {
    if (this.#stopped || !this.#addresses.has(peer)) return;
    const before = this.#attempts.get(peer);
    clearTimeout(before?.timer);
    const delayMs = before === undefined ? FIRST_MS : Math.min(2 * before.delayMs, LONGEST_MS);
    this.#attempts.set(peer, { timer: setTimeout(() => void this.dial(peer), delayMs), delayMs });
  }

  /** The peer is there: its next loss starts anew. */
  reached(peer: string): void {
    clearTimeout(this.#attempts.get(peer)?.timer);
    this.#attempts.delete(peer);
  }

  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#attempts.values()) clearTimeout(timer);
    this.#attempts.clear();
  }
}
