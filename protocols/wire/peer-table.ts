import type { EndpointOptions } from "./endpoint-options.ts";
import { UnknownPartyError, WireError } from "./errors.ts";
import type { PeerChannel } from "./peer-channel.ts";

export interface Peer {
  readonly name: string;
  readonly route: "dial" | "accept";
  readonly transient: boolean;
  channel: PeerChannel | null;
  /** What was sent before the link was there. */
  readonly backlog: { forward: (channel: PeerChannel) => void; reject: (reason: Error) => void }[];
  /** Why it is gone. */
  gone: Error | null;
}

/** The peers of one party: the channel of each, what waits for a channel, and who waits until every peer has one. */
export class PeerTable {
  readonly #party: string;
  readonly #peers = new Map<string, Peer>();
  readonly #linked: { resolve: () => void; reject: (error: Error) => void }[] = [];

  /** Throws RangeError where a party is its own peer. */
  constructor({ party, peers, transient }: Pick<EndpointOptions, "party" | "peers" | "transient">) {
    this.#party = party;
    for (const [name, route] of Object.entries(peers)) {
      if (name === party) throw new RangeError(`endpoint ${name}: expected other parties as peers, got itself`);
      const comesAndGoes = transient?.includes(name) ?? false;
      this.#peers.set(name, { name, route, transient: comesAndGoes, channel: null, backlog: [], gone: null });
    }
  }

  [Symbol.iterator](): IterableIterator<Peer> {
    return this.#peers.values();
  }

  /** The peer of that name. Throws UnknownPartyError. */
  named(name: string): Peer {
    const peer = this.#peers.get(name);
    if (!peer) {
      const names = [...this.#peers.keys()].join(", ");
      throw new UnknownPartyError(null, `peer of ${this.#party}: expected one of ${names}, got ${name}`);
    }
    return peer;
  }

  /** The peer that an error names, if it is one of ours. */
  atFault(error: Error): Peer | undefined {
    return error instanceof WireError && error.peer !== null ? this.#peers.get(error.peer) : undefined;
  }

  /** Names of the peers that must be linked and are not. */
  missing(): string[] {
    return [...this].filter(isMissing).map(({ name }) => name);
  }

  /** Resolves at the link that leaves no peer missing; rejects with the reason of `rejectWaiting`. */
  allLinked(): Promise<void> {
    return new Promise<void>((resolve, reject) => this.#linked.push({ resolve, reject }));
  }

  /** Gives a peer its channel and sends what waited for it. */
  link(peer: Peer, channel: PeerChannel): void {
    peer.channel = channel;
    peer.gone = null;
    for (const { forward } of peer.backlog.splice(0)) forward(channel);
    if (!peer.transient && ![...this].some(isMissing)) {
      for (const { resolve } of this.#linked.splice(0)) resolve();
    }
  }

  /** Sends once the peer has a channel; settles as that send does, or rejects with the reason of `rejectWaiting`. */
  sendOnceLinked(peer: Peer, send: (channel: PeerChannel) => Promise<void>): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const forward = (channel: PeerChannel): void => {
        try {
          send(channel).then(resolve, reject);
        } catch (error) {
          reject(error);
        }
      };
      peer.backlog.push({ forward, reject });
    });
  }

  /** Rejects everything that waits for a link. */
  rejectWaiting(reason: Error): void {
    for (const { reject } of this.#linked.splice(0)) reject(reason);
    for (const { backlog } of this) for (const { reject } of backlog.splice(0)) reject(reason);
  }
}

const isMissing = ({ channel, transient }: Peer): boolean => channel === null && !transient;
