import { CLIENT, smpcName } from "../../../protocols/cascade/party-name.ts";
import { createEndpoint, type PartyEndpoint } from "../../../protocols/wire/party-endpoint.ts";
import type { WireLimits } from "../../../protocols/wire/limits.ts";
import { WebSocketTransport } from "../../../protocols/wire/websocket-transport.ts";

/** Parties lower plans of many layers without a pause, and receive batches of gigabytes. */
export const BENCH_LIMITS: Partial<WireLimits> = {
  silentMs: 600_000,
  silentLoopbackMs: 600_000,
  receiveMs: 600_000,
  connectMs: 120_000,
};

/** Party `party` of `parties`: it dials the parties before it and is dialled by the others and the client. Throws ListenError. */
export function partyEndpoint(options: {
  readonly party: number;
  readonly parties: number;
  readonly listen: string;
}): Promise<PartyEndpoint> {
  const { party, parties, listen } = options;
  const peers: Record<string, "dial" | "accept"> = { [CLIENT]: "accept" };
  for (let peer = 0; peer < parties; peer++)
    if (peer !== party) peers[smpcName(peer)] = peer < party ? "dial" : "accept";
  return createEndpoint({ party: smpcName(party), transport: transport(), peers, listen, limits: BENCH_LIMITS });
}

/** The client of a bench, which deals too: it dials all parties. */
export function clientEndpoint(parties: number): Promise<PartyEndpoint> {
  const peers = Object.fromEntries(Array.from({ length: parties }, (_, party) => [smpcName(party), "dial"] as const));
  return createEndpoint({ party: CLIENT, transport: transport(), peers, limits: BENCH_LIMITS });
}

const transport = (): WebSocketTransport => new WebSocketTransport({ insecurePlaintext: true, limits: BENCH_LIMITS });
