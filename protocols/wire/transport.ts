/** What carries frames between two parties: in memory or over WebSockets. Both pass tests/protocols/wire/transport-compliance.ts. */

/** One end of a connection that keeps frames whole and in order. */
export interface Link {
  /** Where the other end is, for messages to people. */
  readonly remote: string;
  /** Are both ends on one machine (so that a dead process closes the link at once)? */
  readonly loopback: boolean;
  /** Do frames sent here carry the four bytes of a WebSocket mask (the dialling end's do)? */
  readonly masked: boolean;
  /** Bytes given to `send` that have not left. */
  readonly unsentBytes: number;
  /** Hands over what arrives; nothing arrives before. May be called again to replace the handler. */
  start(handler: LinkHandler): void;
  /** Queues one frame. False: the link keeps `frame`. True: it is done with it, and its memory may be used again. */
  send(frame: Uint8Array): boolean;
  /** Resolves when less than `highWaterBytes` are unsent, or the link is closed. */
  drained(highWaterBytes: number): Promise<void>;
  /** Stops and restarts the delivery of frames; what the other end then sends piles up there. */
  pause(): void;
  resume(): void;
  /** Closes in good order: what is queued is sent first, for at most `withinMs`. */
  close(withinMs: number): Promise<void>;
  /** Closes at once; what is queued is lost. */
  terminate(): void;
}

export interface LinkHandler {
  /** One whole frame; the handler owns it. */
  frame(bytes: Uint8Array): void;
  /** The other end broke the rules below frames (a WebSocket message over the bound, or none at all). Close the link. */
  broken(kind: "oversized" | "malformed", fault: string): void;
  /** The link is gone, once; `reason` says how, in words. Not called after `close` or `terminate` of this end. */
  closed(reason: string): void;
}

export interface Listener {
  /** The address to dial; differs from the one asked for where that left the port open (port 0). */
  readonly address: string;
  close(): Promise<void>;
}

export interface Transport {
  /** Accepts links at `address`. Throws ListenError, AddressError. */
  listen(address: string, onLink: (link: Link) => void): Promise<Listener>;
  /** Connects to `address`, trying again until `withinMs` have passed. Throws ConnectError, CertificateError, AddressError. */
  dial(address: string, withinMs: number): Promise<Link>;
}
