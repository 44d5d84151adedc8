/**
 * One party in a process of its own, for killed-party.test.ts: listens, tells its address, dials whom it is told to, waits for a
 * message that never comes, and tells why and when that ended.
 */
import type { MessageKey } from "../../../protocols/wire/endpoint.ts";
import { WireError } from "../../../protocols/wire/errors.ts";
import { createEndpoint } from "../../../protocols/wire/party-endpoint.ts";
import { WebSocketTransport } from "../../../protocols/wire/websocket-transport.ts";

const [party, peerList] = process.argv.slice(2);
const peers = JSON.parse(peerList) as Record<string, "dial" | "accept">;
const tell = (message: unknown): void => void process.send?.(message);

const endpoint = await createEndpoint({
  party,
  peers,
  transport: new WebSocketTransport(),
  listen: "ws://127.0.0.1:0",
});
tell({ address: endpoint.address });
const addresses = await new Promise<Record<string, string>>((resolve) =>
  process.once("message", resolve as (value: unknown) => void),
);
await endpoint.connect(addresses);
const key: MessageKey = { session: 1, layer: 0, step: 0, role: "q" };
const waiting = endpoint.receive(Object.keys(peers)[0], key, { shape: [1, 1], word: "float" });
tell({ linked: true });
try {
  await waiting;
} catch (error) {
  tell({ reason: String(error), peer: error instanceof WireError ? error.peer : null, at: Date.now() });
}
await endpoint.close();
process.disconnect();
