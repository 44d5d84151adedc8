import { describe } from "node:test";
import type { WireLimits } from "../../../protocols/wire/limits.ts";
import type { Transport } from "../../../protocols/wire/transport.ts";
import { endpointCompliance } from "./endpoint-compliance.ts";
import { faultCompliance } from "./fault-compliance.ts";
import { linkCompliance } from "./link-compliance.ts";
import { membershipCompliance } from "./membership-compliance.ts";

/** What the suite needs of a transport. */
export interface TransportSetup {
  /** A transport of which all parties of one test share one. */
  transport(limits: Partial<WireLimits>): Transport;
  /** A fresh address to listen on. */
  listenAddress(): string;
}

/** Everything that protocols rely on, run against one transport: links, then endpoints on them, then peers that misbehave. */
export function transportCompliance(name: string, setup: TransportSetup): void {
  describe(`${name} transport`, () => {
    describe("link", () => linkCompliance(setup));
    describe("endpoints", () => endpointCompliance(setup));
    describe("membership", () => membershipCompliance(setup));
    describe("faults", () => faultCompliance(setup));
  });
}
