import type { FloatArray } from "../../layers/tensor.ts";
import type { Counters } from "./counters.ts";
import type { Role } from "./messages.ts";

/** Where a message belongs; with the peer's name it is the key under which messages meet in a mailbox. */
export interface MessageKey {
  /** Random public number of the session, unsigned 32 bits. */
  readonly session: number;
  /** Layer, 0-based; messages outside the layers (ids, hidden, token) use -1. */
  readonly layer: number;
  /** 0 is the prompt, then one a generated token. */
  readonly step: number;
  readonly role: Role;
  /** Round of an opening, or piece of a batch: messages that differ in nothing else. 0 where absent. */
  readonly part?: number;
}

/** Elements of a message as a matrix [rows, columns]. */
export interface WireTensor {
  readonly data: FloatArray | Int32Array | Uint8Array;
  readonly shape: readonly [rows: number, columns: number];
}

/** How tensors of floats travel: float16 halves the bytes at a measured error. int32 data and bytes always travel as they are. */
export type WireWord = "float64" | "float32" | "float16";

/**
 * What a party has of the network: named peers, messages that meet by key, counters that are always on. In memory and over
 * WebSockets alike. Any failure (a peer lost, a malformed frame) ends every pending receive of every party with that reason; a deadline
 * ends its own receive, and the session's protocol decides what follows.
 */
export interface Endpoint {
  readonly party: string;
  readonly counters: Counters;
  /** Opens a session ahead of its first message, in order to choose the word that floats travel in. Throws SessionClosedError. */
  openSession(session: number, choice: { word?: WireWord }): void;
  /** Sends a tensor, which must not change until this resolves: when the link accepts more (back-pressure). Throws PeerLostError, LinkClosedError. */
  send(peer: string, key: MessageKey, tensor: WireTensor): Promise<void>;
  /**
   * The tensor that `peer` sent (or will send) under `key`; shape and word are checked against what is expected.
   * Throws DeadlineError naming peer and key, PeerLostError, ShapeError.
   */
  receive(peer: string, key: MessageKey, expect: Expectation): Promise<WireTensor>;
  /** Sends a JSON control message (already valid by its schema). */
  sendControl(peer: string, message: ControlMessage): Promise<void>;
  /** Called for each control message that arrives, in the order of each peer. */
  onControl(handler: (peer: string, message: ControlMessage) => void): void;
  /** Ends the session for this party: pending receives reject with `reason`; later messages of the session are dropped and counted. */
  closeSession(session: number, reason: Error | null): void;
  /** Called once for each peer that is lost, with the reason. */
  onPeerLost(handler: (peer: string, reason: Error) => void): void;
  /** Resolves once no peer is lost; where lost links come back, that may take a while. Throws DeadlineError naming those that are not back `withinMs`. */
  allBack(withinMs: number): Promise<void>;
  close(reason?: string): Promise<void>;
}

/** What a receive accepts, and how long it waits. */
export interface Expectation {
  readonly shape: readonly [rows: number, columns: number];
  readonly word: "float" | "int32" | "uint8";
  /** Overrides the endpoint's receive deadline: a node that waits for the *start* of a step waits for a person, not for a machine. */
  readonly deadlineMs?: number;
}

/** A control message: `type` selects its schema (protocols/wire/control.ts). */
export interface ControlMessage {
  readonly type: string;
  readonly [field: string]: unknown;
}
