import { WebSocketTransport } from "../../../protocols/wire/websocket-transport.ts";
import { transportCompliance } from "./transport-compliance.ts";

for (const skipMasking of [false, true]) {
  transportCompliance(skipMasking ? "WebSocket (skipMasking)" : "WebSocket", {
    transport: (limits) => new WebSocketTransport({ limits, skipMasking }),
    listenAddress: () => "ws://127.0.0.1:0",
  });
}
