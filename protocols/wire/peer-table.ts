import type { EndpointOptions } from "./endpoint-options.ts";
import { DeadlineError, UnknownPartyError, WireError } from "./errors.ts";
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
  /** It was linked at some time. */
  known: boolean;
}

/** The peers of one party: the channel of each, what waits for a channel, and who waits until every peer has one. */
export class PeerTable {
  readonly #party: string;
  readonly #peers = new Map<string, Peer>();
  readonly #linked: { peers: readonly Peer[]; resolve: () => void; reject: (error: Error) => void }[] = [];

  /** Throws RangeError where a party is its own peer. */
  constructor({ party, peers, transient }: Pick<EndpointOptions, "party" | "peers" | "transient">) {
    this.#party = party;
    for (const [name, route] of Object.entries(peers)) {
      if (name === party) throw new RangeError(`endpoint ${name}: expected other parties as peers, got itself`);
      const comesAndGoes = transient?.includes(name) ?? false;
      this.#peers.set(name, {
        name,
        route,
        transient: comesAndGoes,
        channel: null,
        backlog: [],
        gone: null,
        known: false,
      });
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

  /** The peers that must be there before anything can begin: those that don't come and go. */
  get lasting(): Peer[] {
    return [...this].filter(({ transient }) => !transient);
  }

  /** Resolves once all of `peers` have a link. Throws DeadlineError naming those that lack one `withinMs`, and the reason of `rejectWaiting`. */
  async whenLinked(peers: readonly Peer[], withinMs: number): Promise<void> {
    if (peers.every(isLinked)) return;
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#linked.push({ peers, resolve, reject });
        timer = setTimeout(() => {
          const absent = peers.filter((peer) => !isLinked(peer));
          const why = absent[0].gone === null ? "" : ` (${absent[0].gone.message})`;
          const got = `got none with ${absent.map(({ name }) => name).join(", ")}${why}`;
          const what = `links of ${this.#party}: expected all within ${withinMs} ms, ${got}`;
          reject(new DeadlineError(absent[0].name, what));
        }, withinMs);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Gives a peer its channel and sends what waited for it. */
  link(peer: Peer, channel: PeerChannel): void {
    peer.channel = channel;
    peer.gone = null;
    peer.known = true;
    for (const { forward } of peer.backlog.splice(0)) forward(channel);
    for (const waiting of this.#linked.splice(0)) {
      if (waiting.peers.every(isLinked)) waiting.resolve();
      else this.#linked.push(waiting);
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

const isLinked = ({ channel }: Peer): boolean => channel !== null;
