import type { WireLimits } from "../../../protocols/wire/limits.ts";
import type { Transport } from "../../../protocols/wire/transport.ts";

/** What the compliance suite needs of a transport. */
export interface TransportSetup {
  /** A transport of which all parties of one test share one. */
  transport(limits: Partial<WireLimits>): Transport;
  /** A fresh address to listen on. */
  listenAddress(): string;
}
