import { describe } from "node:test";
import { endpointCompliance } from "./endpoint-compliance.ts";
import { faultCompliance } from "./fault-compliance.ts";
import { linkCompliance } from "./link-compliance.ts";
import { membershipCompliance } from "./membership-compliance.ts";
import type { TransportSetup } from "./transport-setup.ts";

/** Everything that protocols rely on, run against one transport: links, then endpoints on them, then peers that misbehave. */
export function transportCompliance(name: string, setup: TransportSetup): void {
  describe(`${name} transport`, () => {
    describe("link", () => linkCompliance(setup));
    describe("endpoints", () => endpointCompliance(setup));
    describe("membership", () => membershipCompliance(setup));
    describe("faults", () => faultCompliance(setup));
  });
}
