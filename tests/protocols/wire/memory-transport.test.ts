import { MemoryTransport } from "../../../protocols/wire/memory-transport.ts";
import { transportCompliance } from "./transport-compliance.ts";

let addresses = 0;

transportCompliance("memory", {
  transport: () => new MemoryTransport(),
  listenAddress: () => `memory-${addresses++}`,
});
