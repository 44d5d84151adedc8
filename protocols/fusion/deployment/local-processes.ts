/** One process for each node, on this machine, and a client linked to them. */
import { CLIENT } from "../../cascade/comp-node.ts";
import type { WireLimits } from "../../wire/limits.ts";
import { createEndpoint, type PartyEndpoint } from "../../wire/party-endpoint.ts";
import { WebSocketTransport, type WebSocketTransportOptions } from "../../wire/websocket-transport.ts";
import { namesOf, type Deployment, type DeploymentShape } from "./deployment.ts";
import { startNodeProcesses, type NodeProcessesOptions } from "../node/node-processes.ts";
import { SESSION_CONTROL } from "../session/session-control.ts";
import { deploymentDescription } from "./topology.ts";

export interface LocalProcesses extends Deployment {
  /** Process id of each node. */
  readonly pids: ReadonlyMap<string, number>;
}

/** Starts the nodes and links all parties. Throws Error naming the node that failed and why; then nothing stays behind. */
export async function startLocalProcesses(options: NodeProcessesOptions & ClientLinkOptions): Promise<LocalProcesses> {
  const processes = await startNodeProcesses(options);
  options.report?.(`linking ${processes.pids.size} parties`);
  try {
    const [client] = await Promise.all([linkClient(options, processes.addresses), processes.join()]);
    return {
      client,
      nodes: namesOf(options),
      pids: processes.pids,
      async close() {
        await client.close();
        await processes.close();
      },
    };
  } catch (error) {
    await processes.close();
    throw error;
  }
}

export interface ClientLinkOptions extends WebSocketTransportOptions, DeploymentShape {
  readonly fingerprint: string;
  readonly limits?: Partial<WireLimits>;
}

/** The client's endpoint, linked to every node. Throws ConnectError, HandshakeError, ... */
export async function linkClient(
  options: ClientLinkOptions,
  addresses: Readonly<Record<string, string>>,
): Promise<PartyEndpoint> {
  const { alpha, beta, parties, dealer, attnLinks, fingerprint, limits } = options;
  const client = await createEndpoint({
    party: CLIENT,
    transport: new WebSocketTransport(options),
    peers: Object.fromEntries(namesOf(options).map((name) => [name, "dial" as const])),
    model: fingerprint,
    description: deploymentDescription(alpha, beta, parties, dealer, attnLinks),
    controls: SESSION_CONTROL,
    limits,
  });
  try {
    await client.connect(addresses);
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}
