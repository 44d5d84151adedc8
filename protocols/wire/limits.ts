/** Every bound of the wire. Bytes are payload bytes per link unless it says otherwise; times are milliseconds. */
export interface WireLimits {
  /** A larger tensor travels in chunks of this size (a multiple of 8); must agree between peers. */
  readonly chunkBytes: number;
  /** The largest tensor; must agree between peers. FrameError, OversizedError. */
  readonly maxTensorBytes: number;
  /** The largest control message as JSON in UTF-8; must agree between peers. OversizedError. */
  readonly maxControlBytes: number;
  /** Layers are below this, so that what a peer makes us remember is bounded. FrameError. */
  readonly maxLayers: number;
  /** A send resolves once less than this is unsent on its link. */
  readonly highWaterBytes: number;
  /** More unsent than this on one link: SendBufferFullError. */
  readonly maxUnsentBytes: number;
  /** Reading of a peer pauses while this much of it is unread, unless a receive waits for that peer. */
  readonly unreadHighWaterBytes: number;
  /** More unread of one peer than this: MailboxFullError. */
  readonly maxUnreadBytes: number;
  /** Messages, and bytes of all peers, held for sessions not open yet. UnknownSessionError. */
  readonly maxEarlyMessages: number;
  readonly maxEarlyBytes: number;
  /** Closed sessions that are remembered, so that their late messages are dropped and not held. */
  readonly maxClosedSessions: number;
  /** Control messages that wait for a handler. ControlError. */
  readonly maxQueuedControls: number;
  /** Links accepted whose handshake is not over. The next one is closed. */
  readonly maxPendingLinks: number;
  /** How long a receive waits. DeadlineError. */
  readonly receiveMs: number;
  /** From link to handshake. DeadlineError. */
  readonly handshakeMs: number;
  /** How long a dial is retried, and how long `ready` waits for peers that dial us. ConnectError, DeadlineError. */
  readonly connectMs: number;
  /** How long a closing link may take to flush. */
  readonly closeMs: number;
  /**
   * Silence after which a peer whose socket is still open is lost, on links between machines and on loopback. A closed socket is
   * noticed at once, whatever these are. See party-endpoint.ts for what counts as silence. PeerLostError.
   */
  readonly silentMs: number;
  readonly silentLoopbackMs: number;
}

const MiB = 1024 * 1024;

export const DEFAULT_LIMITS: WireLimits = {
  chunkBytes: 16 * MiB,
  maxTensorBytes: 1024 * MiB,
  maxControlBytes: MiB,
  maxLayers: 4096,
  highWaterBytes: 4 * MiB,
  maxUnsentBytes: 256 * MiB,
  unreadHighWaterBytes: 64 * MiB,
  maxUnreadBytes: 1024 * MiB,
  maxEarlyMessages: 65_536,
  maxEarlyBytes: 64 * MiB,
  maxClosedSessions: 1024,
  maxQueuedControls: 1024,
  maxPendingLinks: 256,
  receiveMs: 30_000,
  handshakeMs: 10_000,
  connectMs: 30_000,
  closeMs: 1_000,
  silentMs: 5_000,
  silentLoopbackMs: 30_000,
};

/** The default limits with some replaced. Throws RangeError for a limit that is not a positive whole number, or chunks not of whole words. */
export function wireLimits(changes: Partial<WireLimits> = {}): WireLimits {
  const limits = { ...DEFAULT_LIMITS, ...changes };
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isSafeInteger(value) || value <= 0) {
      throw new RangeError(`wire limit ${name}: expected a positive whole number, got ${value}`);
    }
  }
  if (limits.chunkBytes % 8 !== 0) {
    throw new RangeError(`wire limit chunkBytes: expected a multiple of 8, got ${limits.chunkBytes}`);
  }
  if (limits.maxLayers > 2 ** 15 - 1) {
    throw new RangeError(`wire limit maxLayers: expected at most ${2 ** 15 - 1}, got ${limits.maxLayers}`);
  }
  // Lengths and offsets are unsigned 32-bit in the header; ws keeps its own bound in a signed one.
  for (const name of ["chunkBytes", "maxTensorBytes", "maxControlBytes"] as const) {
    if (limits[name] >= 2 ** 31 - 64) {
      throw new RangeError(`wire limit ${name}: expected less than 2 GiB, got ${limits[name]}`);
    }
  }
  return limits;
}
