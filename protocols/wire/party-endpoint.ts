/**
 * A party's end of the network: one channel to each peer, one mailbox, one set of counters, one failure.
 *
 * Failure: the first cause ends everything. A peer whose socket closes without a goodbye is lost at once; so is one that broke the
 * protocol. This party then tells all its peers the cause (`abort`), they tell theirs, and every pending receive in the network
 * rejects with an error that names the party at fault. With `relinks` a lost peer ends its own sessions only, and links come back.
 *
 * Silence: a peer whose socket stays open may be computing (its loop is blocked and cannot answer anything) or its machine may be
 * gone. So nobody is asked to answer: each end sends a heartbeat when it has sent nothing for a fifth of the deadline, and listens.
 * Time counts only while our own loop runs (live-clock.ts) and while we read from that peer. On loopback a dead process closes its
 * sockets, so the deadline there is long (`silentLoopbackMs`); between machines it is `silentMs`, with TCP keep-alive beside it.
 */
import type { FrameHeader } from "./frame.ts";
import type { ControlMessage, Endpoint, Expectation, MessageKey, WireTensor, WireWord } from "./endpoint.ts";
import type { Link, Listener, Transport } from "./transport.ts";
import { abortOf, abortSchema, CONTROL_SCHEMAS, type ControlSchemas, serializeControl } from "./control.ts";
import { ControlInbox } from "./control-inbox.ts";
import { Counters } from "./counters.ts";
import { Dialler } from "./dialler.ts";
import { AbortedError, BusyError, ControlError, LinkClosedError, PeerLostError, ShapeError } from "./errors.ts";
import type { EndpointOptions } from "./endpoint-options.ts";
import { describeFields, helloOf } from "./handshake.ts";
import { wireLimits, type WireLimits } from "./limits.ts";
import { LinkGate } from "./link-gate.ts";
import { LiveClock } from "./live-clock.ts";
import { Mailbox } from "./mailbox.ts";
import { MESSAGES, type Phase } from "./messages.ts";
import { unpackPayload } from "./payload.ts";
import type { PeerChannel } from "./peer-channel.ts";
import { type Peer, PeerTable } from "./peer-table.ts";

/** Phases whose messages nobody waits for in a chain. */
const AHEAD: ReadonlySet<Phase> = new Set(["deal", "ahead"]);

/**
 * Listens where `listen` says; `connect` then makes the links, and `close` must end them (until then the process lives).
 * Throws ListenError, AddressError, RangeError.
 */
export async function createEndpoint(options: EndpointOptions): Promise<PartyEndpoint> {
  const endpoint = new PartyEndpoint(options);
  try {
    if (options.listen !== undefined) await endpoint.listen(options.listen);
  } catch (error) {
    await endpoint.close();
    throw error;
  }
  return endpoint;
}

export class PartyEndpoint implements Endpoint {
  readonly party: string;
  readonly counters: Counters;
  readonly limits: WireLimits;
  readonly #options: EndpointOptions;
  readonly #word: WireWord;
  readonly #schemas: ControlSchemas;
  readonly #mailbox: Mailbox;
  readonly #clock: LiveClock;
  readonly #peers: PeerTable;
  readonly #gate: LinkGate;
  readonly #controls: ControlInbox;
  readonly #lostHandlers: ((peer: string, reason: Error) => void)[] = [];
  readonly #failureHandlers: ((reason: Error) => void)[] = [];
  readonly #dialler: Dialler;
  #listener: Listener | null = null;
  #failure: Error | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.party = options.party;
    this.limits = wireLimits(options.limits);
    this.#word = options.word ?? "float32";
    this.#schemas = { ...options.controls, ...CONTROL_SCHEMAS };
    const describedFields = describeFields(options.description ?? {});
    this.counters = new Counters(options.party);
    this.#controls = new ControlInbox(this.limits.maxQueuedControls);
    this.#mailbox = new Mailbox(this.limits, this.#word, (bytes) => this.counters.countLate(bytes));
    this.#peers = new PeerTable(options);
    this.#gate = new LinkGate({
      party: options.party,
      routes: options.peers,
      hello: (to) => helloOf(options.party, to, options.model ?? "", describedFields, this.limits),
      limits: this.limits,
      schemas: this.#schemas,
      counters: this.counters,
      relinks: options.relinks ?? false,
      events: {
        admitted: (peer, channel) => this.#link(this.#peers.named(peer), channel),
        tensor: (peer, header, bytes) => this.#receiveTensor(this.#peers.named(peer), header, bytes),
        control: (peer, message) => this.#receiveControl(this.#peers.named(peer), message),
        failed: (error) => {
          const peer = this.#peers.atFault(error);
          if (peer && this.#outlives(peer, error)) this.#end(peer, error);
          else this.#fail(error);
        },
        refused: (reason) => options.onLinkChange?.({ peer: reason.peer, state: "refused", reason }),
        lost: (peer, error) => this.#end(this.#peers.named(peer), error),
      },
    });
    this.#dialler = new Dialler(options.transport, this.limits.connectMs, {
      linked: (peer, link) => this.adopt(link, peer),
      failed: (peer, error) => this.#end(this.#peers.named(peer), error),
    });
    const { receiveMs, handshakeMs, silentMs, silentLoopbackMs } = this.limits;
    const tickMs = Math.max(5, Math.min(250, Math.min(receiveMs, handshakeMs, silentMs, silentLoopbackMs) / 10));
    this.#clock = new LiveClock(tickMs, (elapsedMs) => this.#tick(elapsedMs));
  }

  /** Where this party listens, with the port that was chosen; null where it does not. */
  get address(): string | null {
    return this.#listener?.address ?? null;
  }

  get transport(): Transport {
    return this.#options.transport;
  }

  /** Every peer, and who dials. */
  get peers(): ReadonlyMap<string, "dial" | "accept"> {
    return new Map([...this.#peers].map(({ name, route }) => [name, route]));
  }

  /** Why this party ended; null while it has not. */
  get failure(): Error | null {
    return this.#failure;
  }

  async listen(address: string): Promise<void> {
    this.#listener = await this.#options.transport.listen(address, (link) => this.adopt(link, null));
  }

  /**
   * Dials the peers at `addresses` and resolves when `wanted` are linked (every peer that doesn't come and go, unless it says less).
   * Throws ConnectError, HandshakeError, BusyError, DeadlineError, ...
   */
  async connect(addresses: Readonly<Record<string, string>> = {}, wanted?: readonly string[]): Promise<void> {
    const unlinked = Object.entries(addresses).filter(([name]) => !this.#peers.named(name).channel);
    await Promise.all(unlinked.map(([name, address]) => this.#dialler.dial(name, address)));
    if (this.#failure) throw this.#failure;
    const peers = wanted?.map((name) => this.#peers.named(name)) ?? this.#peers.lasting;
    try {
      await this.#peers.whenLinked(peers, this.limits.connectMs);
    } catch (error) {
      this.#fail(error as Error);
      throw error;
    }
  }

  allBack(withinMs: number): Promise<void> {
    return this.#peers.whenLinked(
      this.#peers.lasting.filter(({ gone }) => gone !== null),
      withinMs,
    );
  }

  /** Takes a link that was made elsewhere; the handshake says whose it is. `to` is the peer that we dialled, null if we were. */
  adopt(link: Link, to: string | null): void {
    if (this.#failure) {
      link.terminate();
      return;
    }
    this.#gate.take(link, to);
  }

  openSession(session: number, choice: { word?: WireWord } = {}): void {
    this.#mailbox.open(session, choice.word ?? this.#word);
  }

  send(peer: string, key: MessageKey, tensor: WireTensor): Promise<void> {
    try {
      const [rows, columns] = tensor.shape;
      if (rows * columns !== tensor.data.length) {
        throw new ShapeError(
          null,
          `send of ${key.role}: expected ${rows * columns} elements for [${rows}, ${columns}], got ${tensor.data.length}`,
        );
      }
      const to = this.#usable(peer);
      const { word, depth } = this.#mailbox.open(key.session) as { word: WireWord; depth: number };
      // What is dealt or answered ahead depends on nothing that was received: it could have been sent before the session.
      const round = AHEAD.has(MESSAGES[key.role].phase) ? 1 : depth + 1;
      return this.#over(to, (channel) => channel.sendTensor(key, round, tensor, word));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  receive(peer: string, key: MessageKey, expect: Expectation): Promise<WireTensor> {
    try {
      const from = this.#peers.named(peer);
      // What came before the end may still be read: a peer that finished its part may leave.
      if ((this.#failure ?? from.gone) && !this.#mailbox.holds(peer, key)) this.#usable(peer);
      const received = this.#mailbox.receive(
        peer,
        key,
        expect,
        this.#clock.nowMs + (expect.deadlineMs ?? this.limits.receiveMs),
      );
      if (from.channel) this.#regulate(from);
      else this.#options.onDemand?.(peer);
      return received;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  sendControl(peer: string, message: ControlMessage): Promise<void> {
    try {
      const to = this.#usable(peer);
      const json = this.#serialize(message);
      return this.#over(to, (channel) => channel.sendControl(json));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  onControl(handler: (peer: string, message: ControlMessage) => void): void {
    this.#controls.listen(handler);
  }

  onPeerLost(handler: (peer: string, reason: Error) => void): void {
    this.#lostHandlers.push(handler);
    for (const { name, gone } of this.#peers) if (gone) handler(name, gone);
  }

  closeSession(session: number, reason: Error | null): void {
    this.#mailbox.closeSession(session, reason);
    for (const peer of this.#peers) this.#regulate(peer);
  }

  /** Leaves in good order, or, with a reason, ends the run for all peers. Resolves when everything that was sent has left. */
  close(reason?: string): Promise<void> {
    if (reason !== undefined && !this.#failure && !this.#closing) {
      this.#fail(new AbortedError(this.party, this.party, reason, "WIRE_CLOSED"));
    }
    this.#closing ??= this.#leave();
    return this.#closing;
  }

  async #leave(): Promise<void> {
    this.#dialler.stop();
    this.#clock.stop();
    const closed =
      this.#failure ?? new LinkClosedError(null, `endpoint ${this.party}: expected it open, got closed by this party`);
    const leave = this.#serialize({ type: "leave" });
    if (!this.#failure) {
      for (const { channel, gone } of this.#peers) if (!gone) channel?.tell(leave);
      this.#failure = closed;
    }
    this.#rejectAll(closed);
    const channels = [...this.#peers].map(({ channel }) => channel?.close(closed));
    await Promise.all([this.#listener?.close(), this.#gate.close(closed), ...channels]);
  }

  #serialize(message: ControlMessage): Uint8Array {
    return serializeControl(message, this.#schemas, this.limits.maxControlBytes);
  }

  #usable(name: string): Peer {
    const peer = this.#peers.named(name);
    const reason = this.#failure ?? peer.gone;
    if (reason) throw reason;
    return peer;
  }

  /** Sends over a peer's link, or once it has one. */
  #over(peer: Peer, send: (channel: PeerChannel) => Promise<void>): Promise<void> {
    if (peer.channel) return send(peer.channel);
    const sent = this.#peers.sendOnceLinked(peer, send);
    this.#options.onDemand?.(peer.name);
    return sent;
  }

  #link(peer: Peer, channel: PeerChannel): void {
    this.#peers.link(peer, channel);
    this.#dialler.reached(peer.name);
    this.#options.onLinkChange?.({ peer: peer.name, state: "linked", reason: null });
  }

  /** Whether this party goes on when `error` ends a peer's link. A first link that can't be made ends it: somebody must mend that. */
  #outlives(peer: Peer, error: Error): boolean {
    if (peer.transient) return true;
    return this.#options.relinks === true && (peer.known || error instanceof BusyError);
  }

  #receiveTensor(peer: Peer, header: FrameHeader, bytes: Uint8Array): void {
    const { session, layer, part, step, role } = header;
    if (this.#options.onTensorReceived && role !== null) {
      const tensor = unpackPayload(bytes, header.word, header.rows, header.columns);
      this.#options.onTensorReceived(
        peer.name,
        { session, layer, part, step, role, phase: MESSAGES[role].phase },
        tensor,
      );
    }
    this.#mailbox.deliver(peer.name, header, bytes);
    if (this.#mailbox.unreadBytes(peer.name) > this.limits.unreadHighWaterBytes) this.#regulate(peer);
  }

  /** Reads from a peer unless much of it is unread and nobody waits for it. */
  #regulate({ name, channel }: Peer): void {
    const full = this.#mailbox.unreadBytes(name) > this.limits.unreadHighWaterBytes;
    if (full && !this.#mailbox.isAwaited(name)) channel?.pause();
    else channel?.resume();
  }

  #receiveControl(peer: Peer, message: ControlMessage): void {
    switch (message.type) {
      case "hello":
        throw new ControlError(peer.name, `control message from ${peer.name}: expected hello once, got a second`);
      case "abort": {
        const { party, reason, code } = abortSchema.parse(message);
        const aborted = new AbortedError(party, peer.name, reason, code);
        if (this.#outlives(peer, aborted)) this.#end(peer, aborted);
        else this.#fail(aborted, peer);
        return;
      }
      case "leave": {
        const what = `link to ${peer.name}: expected it open, got closed by ${peer.name}`;
        const left = new LinkClosedError(peer.name, what);
        if (this.#outlives(peer, left)) return this.#end(peer, left);
        this.#lose(peer, left);
        void peer.channel?.close(left);
        return;
      }
      case "ping":
        peer.channel?.tell(this.#serialize({ type: "pong", id: message.id }));
        break;
      default:
    }
    this.#controls.deliver(peer.name, message);
  }

  /** A peer's link is over: that is the end of the run, unless the peer may come back. */
  #end(peer: Peer, reason: Error): void {
    this.#lose(peer, reason);
    if (!this.#outlives(peer, reason)) return this.#fail(reason);
    void peer.channel?.close(reason);
    if (peer.channel) this.#gate.release(peer.name);
    peer.channel = null;
    this.#dialler.again(peer.name);
  }

  #lose(peer: Peer, reason: Error): void {
    if (peer.gone) return;
    peer.gone = reason;
    if (peer.known) this.#options.onLinkChange?.({ peer: peer.name, state: "lost", reason });
    this.#mailbox.rejectPending(peer.name, this.#failure ?? reason);
    for (const handler of this.#lostHandlers) handler(peer.name, reason);
  }

  /** Ends everything with the first cause, and tells every peer but the one that told us. */
  #fail(error: Error, from: Peer | null = null): void {
    if (this.#failure) return;
    this.#failure = error;
    const abort = this.#serialize(abortOf(error));
    for (const peer of this.#peers) {
      if (peer !== from && !peer.gone) peer.channel?.tell(abort);
    }
    this.#rejectAll(error);
    // Who waits for no message hears of it here: by the party at fault if it is a peer, else by the one that told us.
    const lost = this.#peers.atFault(error) ?? from;
    if (lost) this.#lose(lost, error);
    for (const peer of this.#peers) {
      peer.gone ??= error;
      void peer.channel?.close(error);
    }
    void this.#gate.close(error);
    this.#dialler.stop();
    this.#clock.stop();
    for (const handler of this.#failureHandlers.splice(0)) handler(error);
  }

  /** Calls `handler` once, when this party ends by a failure. */
  onFailure(handler: (reason: Error) => void): void {
    if (this.#failure) handler(this.#failure);
    else this.#failureHandlers.push(handler);
  }

  #rejectAll(reason: Error): void {
    this.#mailbox.rejectPending(null, reason);
    this.#peers.rejectWaiting(reason);
  }

  #tick(elapsedMs: number): void {
    this.#mailbox.expire(this.#clock.nowMs);
    this.#gate.tick(elapsedMs);
    for (const peer of this.#peers) {
      if (peer.gone || !peer.channel?.fellSilent(elapsedMs)) continue;
      const what = `peer ${peer.name}: expected a heartbeat within ${peer.channel.silenceLimitMs} ms, got silence on an open link`;
      const error = new PeerLostError(peer.name, what);
      peer.channel.terminate(error);
      this.#end(peer, error);
    }
  }
}
