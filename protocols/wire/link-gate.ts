/**
 * Where links become peers: each link's first message is hello, from the dialling end first; who is expected and agrees is let in.
 * A stranger's link ends alone and learns nothing but the reason; an expected party that differs ends the run at both ends.
 */
import { abortOf, abortSchema, type ControlSchemas, type Hello, helloSchema, serializeControl } from "./control.ts";
import type { Counters } from "./counters.ts";
import type { ControlMessage } from "./endpoint.ts";
import {
  BusyError,
  ControlError,
  DeadlineError,
  HandshakeError,
  PeerLostError,
  UnknownPartyError,
  type WireError,
} from "./errors.ts";
import type { FrameHeader } from "./frame.ts";
import { checkHello } from "./handshake.ts";
import type { WireLimits } from "./limits.ts";
import { PeerChannel } from "./peer-channel.ts";
import type { Link } from "./transport.ts";

export interface GateEvents {
  admitted(peer: string, channel: PeerChannel): void;
  tensor(peer: string, header: FrameHeader, bytes: Uint8Array): void;
  control(peer: string, message: ControlMessage): void;
  /** A peer broke the protocol, or an expected one could not be let in. */
  failed(error: Error): void;
  /** A peer's link ended without a goodbye. */
  lost(peer: string, error: Error): void;
  /** A link that somebody dialled ended before it had a peer; nothing else did. */
  refused(error: WireError): void;
}

export interface GateOptions {
  readonly party: string;
  /** Every peer, and whether this party dials it or it dials us. */
  readonly routes: Readonly<Record<string, "dial" | "accept">>;
  readonly hello: (to: string | null) => Hello;
  readonly limits: WireLimits;
  readonly schemas: ControlSchemas;
  readonly counters: Counters;
  /** An expected party that differs ends its own link alone, not the run. */
  readonly relinks: boolean;
  readonly events: GateEvents;
}

export class LinkGate {
  readonly #options: GateOptions;
  /** Links whose hello has not come, by whom we dialled, with the time they have had. */
  readonly #waiting = new Map<PeerChannel, { readonly to: string | null; waitedMs: number }>();
  readonly #linked = new Set<string>();

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** Takes a new link: to the peer `to` that we dialled, or (null) from whoever dialled us. */
  take(link: Link, to: string | null): void {
    const { counters, limits, schemas, events } = this.#options;
    if (to === null && this.#waiting.size >= limits.maxPendingLinks) {
      link.terminate();
      return;
    }
    let peer: string | null = null;
    const channel: PeerChannel = new PeerChannel(link, counters, limits, schemas, {
      tensor: (header, bytes) => events.tensor(peer as string, header, bytes),
      control: (message) => {
        if (peer === null) peer = this.#admit(channel, to, message);
        else events.control(peer, message);
      },
      fault: (error) => this.#refuse(channel, peer, to, error),
      closed: (reason) => this.#closed(channel, peer, to, reason),
    });
    this.#waiting.set(channel, { to, waitedMs: 0 });
    // Who was dialled says nothing of itself before it knows whom it speaks to.
    if (to !== null) this.#say(channel, this.#options.hello(to));
    channel.start();
  }

  /** Forgets a peer whose link is over, so that it may link again. */
  release(peer: string): void {
    this.#linked.delete(peer);
  }

  /** Ends links whose hello is late. */
  tick(elapsedMs: number): void {
    const { handshakeMs } = this.#options.limits;
    for (const [channel, waiting] of this.#waiting) {
      waiting.waitedMs += elapsedMs;
      if (waiting.waitedMs < handshakeMs) continue;
      const what = `handshake of ${this.#options.party} with ${waiting.to ?? channel.link.remote}`;
      const error = new DeadlineError(waiting.to, `${what}: expected hello within ${handshakeMs} ms, got none`);
      this.#waiting.delete(channel);
      channel.terminate(error);
      if (waiting.to !== null) this.#options.events.failed(error);
    }
  }

  /** Ends the links that have no peer yet. */
  async close(reason: Error): Promise<void> {
    const channels = [...this.#waiting.keys()];
    this.#waiting.clear();
    await Promise.all(channels.map((channel) => channel.close(reason)));
  }

  #say(channel: PeerChannel, message: ControlMessage): void {
    channel.tell(serializeControl(message, this.#options.schemas, this.#options.limits.maxControlBytes));
  }

  /** The peer that a link's first message makes of it. Throws ControlError, UnknownPartyError, HandshakeError. */
  #admit(channel: PeerChannel, to: string | null, message: ControlMessage): string {
    const { party, hello, events } = this.#options;
    const what = `handshake of ${party}`;
    if (message.type === "abort") {
      const { code, reason } = abortSchema.parse(message);
      if (code === "WIRE_BUSY") throw new BusyError(to, reason);
      throw new HandshakeError(to, `${what} with ${to ?? "a dialling party"}: refused: ${reason}`);
    }
    if (message.type !== "hello") throw new ControlError(to, `order: expected hello first, got ${message.type}`);
    const theirs = helloSchema.parse(message);
    if (to !== null && theirs.party !== to) {
      throw new HandshakeError(to, `${what}: expected party ${to} at ${channel.link.remote}, got ${theirs.party}`);
    }
    this.#checkRoute(theirs.party, to, `${what}: expected`);
    if (this.#linked.has(theirs.party))
      throw new BusyError(
        null,
        `${party}: expected one link with ${theirs.party}, got a second while the first stands; try again when it is done`,
      );
    // Said before the comparison, so that both ends see what differs.
    if (to === null) this.#say(channel, hello(null));
    checkHello(hello(to), theirs);
    this.#waiting.delete(channel);
    this.#linked.add(theirs.party);
    channel.name(theirs.party);
    events.admitted(theirs.party, channel);
    return theirs.party;
  }

  #checkRoute(name: string, to: string | null, expected: string): void {
    const { routes } = this.#options;
    if (!Object.hasOwn(routes, name)) {
      throw new UnknownPartyError(null, `${expected} one of ${Object.keys(routes).join(", ")}, got ${name}`);
    }
    if ((to === null) !== (routes[name] === "accept")) {
      const role = to === null ? "dialled by us" : "the one that dials";
      throw new UnknownPartyError(null, `${expected} ${name} to be ${role}, got the reverse`);
    }
  }

  /** A peer, or a stranger, broke the protocol. */
  #refuse(channel: PeerChannel, peer: string | null, to: string | null, error: WireError): void {
    this.#waiting.delete(channel);
    if (peer === null) this.#say(channel, abortOf(error));
    const { events, relinks } = this.#options;
    if (peer !== null || to !== null || (error.peer !== null && !relinks)) events.failed(error);
    else events.refused(error);
    void channel.close(error);
  }

  #closed(channel: PeerChannel, peer: string | null, to: string | null, reason: string): void {
    this.#waiting.delete(channel);
    const name = peer ?? to;
    if (name === null) return;
    this.#options.events.lost(
      name,
      new PeerLostError(name, `peer ${name}: expected a goodbye, got its link ${reason}; see its log`),
    );
  }
}
