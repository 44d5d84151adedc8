/**
 * A party's end of the network: one channel to each peer, one mailbox, one set of counters, one failure.
 *
 * Failure: the first cause ends everything. A peer whose socket closes without a goodbye is lost at once; so is one that broke the
 * protocol. This party then tells all its peers the cause (`abort`), they tell theirs, and every pending receive in the network
 * rejects with an error that names the party at fault.
 *
 * Silence: a peer whose socket stays open may be computing (its loop is blocked and cannot answer anything) or its machine may be
 * gone. So nobody is asked to answer: each end sends a heartbeat when it has sent nothing for a fifth of the deadline, and listens.
 * Time counts only while our own loop runs (live-clock.ts) and while we read from that peer. On loopback a dead process closes its
 * sockets, so the deadline there is long (`silentLoopbackMs`); between machines it is `silentMs`, with TCP keep-alive beside it.
 */
import type { FrameHeader } from "./frame.ts";
import type { Phase } from "./messages.ts";
import type { ControlMessage, Endpoint, Expectation, MessageKey, WireTensor, WireWord } from "./endpoint.ts";
import type { Link, Listener, Transport } from "./transport.ts";
import {
  type Abort,
  abortSchema,
  CONTROL_SCHEMAS,
  type ControlSchemas,
  type Hello,
  helloSchema,
  serializeControl,
} from "./control.ts";
import { Counters } from "./counters.ts";
import {
  AbortedError,
  ControlError,
  DeadlineError,
  HandshakeError,
  LinkClosedError,
  PeerLostError,
  ShapeError,
  UnknownPartyError,
  WireError,
} from "./errors.ts";
import { checkHello, describeFields, helloOf } from "./handshake.ts";
import { wireLimits, type WireLimits } from "./limits.ts";
import { LiveClock } from "./live-clock.ts";
import { Mailbox } from "./mailbox.ts";
import { MESSAGES } from "./messages.ts";
import { unpackPayload } from "./payload.ts";
import { PeerChannel } from "./peer-channel.ts";

/** Sees every tensor that arrives, before the mailbox judges it. */
export type TensorObserver = (peer: string, key: MessageKey & { readonly phase: Phase }, tensor: WireTensor) => void;

export interface EndpointOptions {
  readonly party: string;
  readonly transport: Transport;
  /** Every peer, and whether this party dials it or it dials us. */
  readonly peers: Readonly<Record<string, "dial" | "accept">>;
  /** Where to accept links; needed where a peer is "accept", but for links given by `adopt`. */
  readonly listen?: string;
  /** Fingerprint of the model; must agree. */
  readonly model?: string;
  /** The public topology or session description, as JSON; must agree field by field. */
  readonly description?: unknown;
  /** Word of floats on the wire, unless a session says otherwise; float32. */
  readonly word?: WireWord;
  readonly limits?: Partial<WireLimits>;
  /** Control messages beside those of control.ts. */
  readonly controls?: ControlSchemas;
  readonly onTensorReceived?: TensorObserver;
  /** Asked for a link when one is first needed (memory-network.ts); without it links are made by `connect`. */
  readonly onDemand?: (peer: string) => void;
}

interface Peer {
  readonly name: string;
  readonly route: "dial" | "accept";
  channel: PeerChannel | null;
  /** What was sent before the link was there. */
  backlog: ((channel: PeerChannel) => void)[];
  /** Why it is gone. */
  gone: Error | null;
}

/** Listens where `listen` says and returns the endpoint; `connect` then makes the links. Throws ListenError, AddressError, RangeError. */
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
  readonly #description: Record<string, string>;
  readonly #mailbox: Mailbox;
  readonly #clock: LiveClock;
  readonly #peers = new Map<string, Peer>();
  /** Accepted or dialled links whose hello has not come, with their deadlines. */
  readonly #pending = new Map<PeerChannel, { deadlineMs: number; to: string | null }>();
  readonly #controlHandlers: ((peer: string, message: ControlMessage) => void)[] = [];
  readonly #lostHandlers: ((peer: string, reason: Error) => void)[] = [];
  #unheardControls: [peer: string, message: ControlMessage][] = [];
  #listener: Listener | null = null;
  #failure: Error | null = null;
  #closing: Promise<void> | null = null;
  #linked: { resolve: () => void; reject: (error: Error) => void }[] = [];

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.party = options.party;
    this.limits = wireLimits(options.limits);
    this.#word = options.word ?? "float32";
    this.#schemas = { ...options.controls, ...CONTROL_SCHEMAS };
    this.#description = describeFields(options.description ?? {});
    this.counters = new Counters(options.party);
    this.#mailbox = new Mailbox(this.limits, this.#word, (bytes) => this.counters.countLate(bytes));
    for (const [name, route] of Object.entries(options.peers)) {
      if (name === options.party) throw new RangeError(`endpoint ${name}: expected other parties as peers, got itself`);
      this.#peers.set(name, { name, route, channel: null, backlog: [], gone: null });
    }
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
    return new Map([...this.#peers.values()].map(({ name, route }) => [name, route]));
  }

  /** Why this party ended; null while it has not. */
  get failure(): Error | null {
    return this.#failure;
  }

  async listen(address: string): Promise<void> {
    this.#listener = await this.#options.transport.listen(address, (link) => this.#accept(link));
  }

  /** Dials the peers at `addresses` and resolves when every peer is linked. Throws ConnectError, HandshakeError, DeadlineError, ... */
  async connect(addresses: Readonly<Record<string, string>> = {}): Promise<void> {
    const dialled = Object.entries(addresses).map(([name, address]) => this.#dial(this.#peer(name), address));
    await Promise.all(dialled);
    const missing = (): string[] => [...this.#peers.values()].filter(({ channel }) => !channel).map(({ name }) => name);
    if (this.#failure) throw this.#failure;
    if (missing().length === 0) return;
    const { connectMs } = this.limits;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        const names = missing().join(", ");
        this.#fail(
          new DeadlineError(
            missing()[0] ?? null,
            `links of ${this.party}: expected all within ${connectMs} ms, got none with ${names}`,
          ),
        );
      }, connectMs);
      const settled = (): void => clearTimeout(timer);
      this.#linked.push({
        resolve: () => {
          settled();
          resolve();
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
    });
  }

  /** Takes a link that was made elsewhere; the handshake says whose it is. `to` is the peer that we dialled, null if we were. */
  adopt(link: Link, to: string | null): void {
    let named: Peer | null = null;
    const channel: PeerChannel = new PeerChannel(link, null, this.counters, this.limits, this.#schemas, {
      tensor: (header, bytes) => this.#receiveTensor(channel, (named as Peer).name, header, bytes),
      control: (message) => {
        if (named) this.#receiveControl(named, channel, message);
        else named = this.#greet(channel, to, message);
      },
      fault: (error) => this.#faulted(channel, named, to, error),
      closed: (reason) => this.#closed(channel, named, to, reason),
    });
    this.#pending.set(channel, { deadlineMs: this.#clock.nowMs + this.limits.handshakeMs, to });
    // Who was dialled says nothing of itself before it knows whom it speaks to.
    if (to !== null) tell(channel, this.#serialize(this.#hello(to)));
    channel.start();
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
      if (to.channel) return to.channel.sendTensor(key, depth + 1, tensor, word);
      return this.#later(to, (channel) => channel.sendTensor(key, depth + 1, tensor, word));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  receive(peer: string, key: MessageKey, expect: Expectation): Promise<WireTensor> {
    try {
      const from = this.#peer(peer);
      // What came before the end may still be read: a peer that finished its part may leave.
      if ((this.#failure ?? from.gone) && !this.#mailbox.holds(peer, key)) this.#usable(peer);
      const received = this.#mailbox.receive(
        peer,
        key,
        expect,
        this.#clock.nowMs + (expect.deadlineMs ?? this.limits.receiveMs),
      );
      if (from.channel) this.#regulate(from.channel, peer);
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
      if (to.channel) return to.channel.sendControl(json);
      return this.#later(to, (channel) => channel.sendControl(json));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  onControl(handler: (peer: string, message: ControlMessage) => void): void {
    this.#controlHandlers.push(handler);
    const unheard = this.#unheardControls;
    this.#unheardControls = [];
    for (const [peer, message] of unheard) handler(peer, message);
  }

  onPeerLost(handler: (peer: string, reason: Error) => void): void {
    this.#lostHandlers.push(handler);
    for (const { name, gone } of this.#peers.values()) if (gone) handler(name, gone);
  }

  closeSession(session: number, reason: Error | null): void {
    this.#mailbox.closeSession(session, reason);
    for (const { name, channel } of this.#peers.values()) if (channel) this.#regulate(channel, name);
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
    this.#clock.stop();
    const closed =
      this.#failure ?? new LinkClosedError(null, `endpoint ${this.party}: expected it open, got closed by this party`);
    const leave = this.#serialize({ type: "leave" });
    const channels = [...this.#pending.keys()];
    for (const peer of this.#peers.values()) {
      if (peer.channel) {
        if (!this.#failure && !peer.gone) tell(peer.channel, leave);
        channels.push(peer.channel);
      }
      peer.backlog = [];
    }
    this.#failure ??= closed;
    this.#pending.clear();
    this.#mailbox.rejectPending(null, closed);
    for (const { reject } of this.#linked.splice(0)) reject(closed);
    await Promise.all([this.#listener?.close(), ...channels.map((channel) => channel.close())]);
  }

  #hello(to: string | null): Hello {
    return helloOf(this.party, to, this.#options.model ?? "", this.#description, this.limits);
  }

  #serialize(message: ControlMessage): Uint8Array {
    return serializeControl(message, this.#schemas, this.limits.maxControlBytes);
  }

  #peer(name: string): Peer {
    const peer = this.#peers.get(name);
    if (!peer) {
      const names = [...this.#peers.keys()].join(", ");
      throw new UnknownPartyError(null, `peer of ${this.party}: expected one of ${names}, got ${name}`);
    }
    return peer;
  }

  #usable(name: string): Peer {
    const peer = this.#peer(name);
    const reason = this.#failure ?? peer.gone;
    if (reason) throw reason;
    return peer;
  }

  #later(peer: Peer, send: (channel: PeerChannel) => Promise<void>): Promise<void> {
    const sent = new Promise<void>((resolve, reject) => {
      peer.backlog.push((channel) => {
        try {
          send(channel).then(resolve, reject);
        } catch (error) {
          reject(error);
        }
      });
    });
    this.#options.onDemand?.(peer.name);
    return sent;
  }

  async #dial(peer: Peer, address: string): Promise<void> {
    if (peer.channel) return;
    try {
      const link = await this.#options.transport.dial(address, this.limits.connectMs);
      if (this.#failure) link.terminate();
      else this.adopt(link, peer.name);
    } catch (error) {
      if (this.#failure === null) this.#fail(error as Error);
    }
  }

  #accept(link: Link): void {
    if (this.#failure || this.#pending.size >= this.limits.maxPendingLinks) link.terminate();
    else this.adopt(link, null);
  }

  /** The first message of a link: hello, or the link ends. A stranger's link ends alone; a known party that differs ends the run. */
  #greet(channel: PeerChannel, to: string | null, message: ControlMessage): Peer | null {
    if (message.type === "abort") {
      const abort = abortSchema.parse(message);
      throw new HandshakeError(
        to,
        `handshake of ${this.party} with ${to ?? "a dialling party"}: refused: ${abort.reason}`,
      );
    }
    if (message.type !== "hello") throw new ControlError(to, `order: expected hello first, got ${message.type}`);
    const hello = helloSchema.parse(message);
    const peer = this.#peers.get(hello.party);
    if (!peer || peer.channel || (to === null) !== (peer.route === "accept")) {
      const fault = !peer
        ? `expected one of ${[...this.#peers.keys()].join(", ")}, got ${hello.party}`
        : peer.channel
          ? `expected one link with ${hello.party}, got a second`
          : `expected ${hello.party} to be ${peer.route === "dial" ? "dialled by us" : "the one that dials"}, got the reverse`;
      throw new UnknownPartyError(null, `handshake of ${this.party}: ${fault}`);
    }
    if (to !== null && hello.party !== to) {
      throw new HandshakeError(
        to,
        `handshake of ${this.party}: expected party ${to} at ${channel.link.remote}, got ${hello.party}`,
      );
    }
    // Said before the comparison, so that both ends see what differs.
    if (to === null) tell(channel, this.#serialize(this.#hello(null)));
    checkHello(this.#hello(to), hello);
    this.#pending.delete(channel);
    channel.name(peer.name);
    peer.channel = channel;
    for (const send of peer.backlog.splice(0)) send(channel);
    if ([...this.#peers.values()].every((each) => each.channel))
      for (const { resolve } of this.#linked.splice(0)) resolve();
    return peer;
  }

  #receiveTensor(channel: PeerChannel, peer: string, header: FrameHeader, bytes: Uint8Array): void {
    const { session, layer, step, role } = header;
    if (this.#options.onTensorReceived && role !== null) {
      const tensor = unpackPayload(bytes, header.word, header.rows, header.columns);
      this.#options.onTensorReceived(peer, { session, layer, step, role, phase: MESSAGES[role].phase }, tensor);
    }
    this.#mailbox.deliver(peer, header, bytes);
    if (this.#mailbox.unreadBytes(peer) > this.limits.unreadHighWaterBytes) this.#regulate(channel, peer);
  }

  /** Reads from a peer unless much of it is unread and nobody waits for it. */
  #regulate(channel: PeerChannel, peer: string): void {
    const full = this.#mailbox.unreadBytes(peer) > this.limits.unreadHighWaterBytes;
    if (full && !this.#mailbox.isAwaited(peer)) channel.pause();
    else channel.resume();
  }

  #receiveControl(peer: Peer, channel: PeerChannel, message: ControlMessage): void {
    switch (message.type) {
      case "hello":
        throw new ControlError(peer.name, `control message from ${peer.name}: expected hello once, got a second`);
      case "abort":
        this.#aborted(peer, abortSchema.parse(message));
        return;
      case "leave":
        this.#lose(
          peer,
          new LinkClosedError(peer.name, `link to ${peer.name}: expected it open, got closed by ${peer.name}`),
        );
        void channel.close();
        return;
      case "ping":
        tell(channel, this.#serialize({ type: "pong", id: message.id }));
        break;
      default:
    }
    if (this.#controlHandlers.length > 0) {
      for (const handler of this.#controlHandlers) handler(peer.name, message);
    } else if (this.#unheardControls.push([peer.name, message]) > this.limits.maxQueuedControls) {
      const bound = `at most ${this.limits.maxQueuedControls} control messages before a handler (maxQueuedControls)`;
      throw new ControlError(peer.name, `control messages: expected ${bound}, got one more from ${peer.name}`);
    }
  }

  #aborted(peer: Peer, abort: Abort): void {
    this.#fail(new AbortedError(abort.party, peer.name, abort.reason, abort.code), peer);
  }

  /** A peer, or a stranger, broke the protocol. */
  #faulted(channel: PeerChannel, peer: Peer | null, to: string | null, error: WireError): void {
    if (peer === null) tell(channel, this.#serialize(abortOf(error)));
    this.#pending.delete(channel);
    if (peer !== null || to !== null || error.peer !== null) this.#fail(error);
    void channel.close();
  }

  #closed(channel: PeerChannel, peer: Peer | null, to: string | null, reason: string): void {
    this.#pending.delete(channel);
    if (peer === null && to === null) return;
    const name = peer?.name ?? (to as string);
    const error = new PeerLostError(name, `peer ${name}: expected a goodbye, got its link ${reason}; see its log`);
    if (peer) this.#lose(peer, error);
    this.#fail(error);
  }

  #lose(peer: Peer, reason: Error): void {
    if (peer.gone) return;
    peer.gone = reason;
    this.#mailbox.rejectPending(peer.name, this.#failure ?? reason);
    for (const handler of this.#lostHandlers) handler(peer.name, reason);
  }

  /** Ends everything with the first cause, and tells every peer but the one that told us. */
  #fail(error: Error, from: Peer | null = null): void {
    if (this.#failure) return;
    this.#failure = error;
    const abort = this.#serialize(abortOf(error));
    for (const peer of this.#peers.values()) {
      if (peer.channel && peer !== from && !peer.gone) {
        tell(peer.channel, abort);
      }
      peer.backlog = [];
    }
    this.#mailbox.rejectPending(null, error);
    for (const { reject } of this.#linked.splice(0)) reject(error);
    for (const peer of this.#peers.values()) {
      if (!peer.gone) {
        peer.gone = error;
        if (error instanceof WireError && error.peer === peer.name)
          for (const handler of this.#lostHandlers) handler(peer.name, error);
      }
      void peer.channel?.close();
    }
    for (const channel of this.#pending.keys()) void channel.close();
    this.#clock.stop();
  }

  #tick(elapsedMs: number): void {
    const { handshakeMs, silentMs, silentLoopbackMs } = this.limits;
    const nowMs = this.#clock.nowMs;
    this.#mailbox.expire(nowMs);
    for (const [channel, { deadlineMs, to }] of this.#pending) {
      if (nowMs < deadlineMs) continue;
      this.#pending.delete(channel);
      channel.terminate();
      if (to === null) continue;
      const what = `handshake of ${this.party} with ${to}`;
      this.#fail(new DeadlineError(to, `${what}: expected hello within ${handshakeMs} ms, got none`));
    }
    for (const peer of this.#peers.values()) {
      const { channel } = peer;
      if (!channel || peer.gone) continue;
      const limitMs = channel.link.loopback ? silentLoopbackMs : silentMs;
      if (channel.heard || channel.paused) channel.silentMs = 0;
      else channel.silentMs += elapsedMs;
      channel.heard = false;
      channel.idleMs = channel.spoke ? 0 : channel.idleMs + elapsedMs;
      channel.spoke = false;
      if (channel.idleMs >= limitMs / 5) channel.sendHeartbeat();
      if (channel.silentMs < limitMs) continue;
      const error = new PeerLostError(
        peer.name,
        `peer ${peer.name}: expected a heartbeat within ${limitMs} ms, got silence on an open link`,
      );
      this.#lose(peer, error);
      channel.terminate();
      this.#fail(error);
    }
  }
}

/** Sends without waiting; a link too full to be told is closed soon, which says enough. */
function tell(channel: PeerChannel, json: Uint8Array): void {
  try {
    void channel.sendControl(json);
  } catch {
    channel.terminate();
  }
}

/** The abort message that carries `error` on: an aborted party passes on the first cause, not its own words. */
function abortOf(error: Error): Abort & ControlMessage {
  const wire = error instanceof WireError ? error : null;
  const reason = error instanceof AbortedError ? error.reason : error.message;
  const code = error instanceof AbortedError ? error.reasonCode : (wire?.code ?? "ERROR");
  return { type: "abort", party: wire?.peer ?? null, code, reason: reason.slice(0, 4000) };
}
