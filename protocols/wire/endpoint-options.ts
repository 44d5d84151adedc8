import type { ControlSchemas } from "./control.ts";
import type { MessageKey, WireTensor, WireWord } from "./endpoint.ts";
import type { WireLimits } from "./limits.ts";
import type { Phase } from "./messages.ts";
import type { Transport } from "./transport.ts";

/** Sees every tensor that arrives, before the mailbox judges it. */
export type TensorObserver = (peer: string, key: MessageKey & { readonly phase: Phase }, tensor: WireTensor) => void;

/** `reason` null: linked. */
export interface LinkChange {
  readonly peer: string | null;
  readonly state: "linked" | "lost" | "refused";
  readonly reason: Error | null;
}

export interface EndpointOptions {
  readonly party: string;
  readonly transport: Transport;
  /** Every peer, and whether this party dials it or it dials us. */
  readonly peers: Readonly<Record<string, "dial" | "accept">>;
  /** Peers that come and go (clients): the loss of one ends its own sessions, not the run, and it may link again. */
  readonly transient?: readonly string[];
  /**
   * Lost links come back: the loss of any peer ends its own sessions, not the run; who dialled it dials it again, and who was dialled
   * takes it in anew. Without it the loss of a peer that isn't transient ends everything.
   */
  readonly relinks?: boolean;
  /** Told of every peer that is linked, lost, or was refused a link by its hello. */
  readonly onLinkChange?: (change: LinkChange) => void;
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
