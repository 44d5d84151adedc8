/** All parties in one process over WebSockets on loopback: what memoryNetwork is, with sockets in between. */
import type { MemoryNetworkOptions } from "./memory-network.ts";
import { createEndpoint, type PartyEndpoint } from "./party-endpoint.ts";
import { WebSocketTransport, type WebSocketTransportOptions } from "./websocket-transport.ts";

export type LoopbackNetworkOptions = MemoryNetworkOptions &
  Omit<WebSocketTransportOptions, "limits"> & {
    /** Which pairs have a link; all by default. */
    readonly linked?: (a: string, b: string) => boolean;
  };

/** An endpoint for each of `names`, linked over loopback sockets; resolves when all are. Close each of them at the end. */
export async function loopbackNetwork(
  names: readonly string[],
  options: LoopbackNetworkOptions = {},
): Promise<Map<string, PartyEndpoint>> {
  const {
    onTensorReceived,
    dials: given,
    linked = () => true,
    certificates,
    insecurePlaintext,
    skipMasking,
    ...common
  } = options;
  const order = new Map(names.map((name, at) => [name, at]));
  const dials = given ?? ((a: string, b: string) => (order.get(a) ?? 0) > (order.get(b) ?? 0));
  const transport = new WebSocketTransport({ certificates, insecurePlaintext, skipMasking, limits: options.limits });
  const scheme = certificates ? "wss" : "ws";
  const made = names.map(async (party) => {
    const others = names.filter((name) => name !== party && (linked(party, name) || linked(name, party)));
    const peers = Object.fromEntries(others.map((name) => [name, dials(party, name) ? "dial" : "accept"] as const));
    const listen = `${scheme}://localhost:0`;
    return [
      party,
      await createEndpoint({ ...common, party, transport, peers, listen, onTensorReceived: onTensorReceived?.(party) }),
    ] as const;
  });
  const endpoints = new Map(await Promise.all(made));
  const connected = [...endpoints].map(async ([, endpoint]) => {
    const dialled = [...endpoints].filter(([name]) => endpoint.peers.get(name) === "dial");
    await endpoint.connect(Object.fromEntries(dialled.map(([name, { address }]) => [name, address as string])));
  });
  await Promise.all(connected);
  return endpoints;
}
