/** All parties in one process: an endpoint for each name, links made when first needed. */
import { memoryLinkPair, MemoryTransport } from "./memory-transport.ts";
import type { EndpointOptions } from "./endpoint-options.ts";
import { PartyEndpoint } from "./party-endpoint.ts";

export type MemoryNetworkOptions = Partial<
  Pick<EndpointOptions, "model" | "description" | "word" | "limits" | "controls">
> & {
  /** The observer of each party, for a recorder. */
  readonly onTensorReceived?: (party: string) => EndpointOptions["onTensorReceived"];
  /** Would `a` dial `b` over sockets? Decides whose frames count as masked; by default the later name in the list dials. */
  readonly dials?: (a: string, b: string) => boolean;
};

/** An endpoint for each of `names`, every pair linked on demand. Close each of them at the end. */
export function memoryNetwork(
  names: readonly string[],
  options: MemoryNetworkOptions = {},
): Map<string, PartyEndpoint> {
  const transport = new MemoryTransport();
  const order = new Map(names.map((name, at) => [name, at]));
  const dials = options.dials ?? ((a: string, b: string) => (order.get(a) ?? 0) > (order.get(b) ?? 0));
  const endpoints = new Map<string, PartyEndpoint>();
  const linked = new Set<string>();
  const link = (a: string, b: string): void => {
    const [dialler, listener] = dials(a, b) ? [a, b] : [b, a];
    const pair = `${dialler}\n${listener}`;
    if (linked.has(pair)) return;
    linked.add(pair);
    const [dialling, listening] = memoryLinkPair(dialler, listener);
    endpoints.get(listener)?.adopt(listening, null);
    endpoints.get(dialler)?.adopt(dialling, listener);
  };
  for (const party of names) {
    const peers = Object.fromEntries(
      names.filter((name) => name !== party).map((name) => [name, dials(party, name) ? "dial" : "accept"] as const),
    );
    const { onTensorReceived, dials: _dials, ...common } = options;
    const endpoint = new PartyEndpoint({
      ...common,
      party,
      transport,
      peers,
      onTensorReceived: onTensorReceived?.(party),
      onDemand: (peer) => link(party, peer),
    });
    endpoints.set(party, endpoint);
  }
  return endpoints;
}
