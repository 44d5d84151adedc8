/** One process for each node, on this machine, and a client linked to them. */
import { setTimeout } from "node:timers/promises";
import { CLIENT } from "../../cascade/party-name.ts";
import type { WireLimits } from "../../wire/limits.ts";
import { BusyError } from "../../wire/errors.ts";
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
  /** How long to wait for nodes that serve another client; 0: not at all. */
  readonly busyMs?: number;
  /** Told what is being waited for. */
  readonly report?: (doing: string) => void;
}

/** Pauses between two questions whether the other client is done. */
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 2_000;

/** The client's endpoint, linked to every node. Throws ConnectError, HandshakeError, BusyError where another client was served all the time, ... */
export async function linkClient(
  options: ClientLinkOptions,
  addresses: Readonly<Record<string, string>>,
): Promise<PartyEndpoint> {
  const { busyMs = 0, report } = options;
  const giveUpAt = performance.now() + busyMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await linkOnce(options, addresses);
    } catch (error) {
      if (!(error instanceof BusyError) || performance.now() + pauseMs > giveUpAt) throw error;
      const leftS = Math.ceil((giveUpAt - performance.now()) / 1000);
      report?.(`${error.peer} serves another client; waiting for it, ${leftS} s at most`);
      await setTimeout(pauseMs);
    }
  }
}

/** One attempt. The first node serves as the lock: two clients that took some nodes each would wait for one another. */
async function linkOnce(
  options: ClientLinkOptions,
  addresses: Readonly<Record<string, string>>,
): Promise<PartyEndpoint> {
  const { alpha, beta, parties, dealer, attnLinks, fingerprint, limits } = options;
  const names = namesOf(options);
  const client = await createEndpoint({
    party: CLIENT,
    transport: new WebSocketTransport(options),
    peers: Object.fromEntries(names.map((name) => [name, "dial" as const])),
    model: fingerprint,
    description: deploymentDescription(alpha, beta, parties, dealer, attnLinks),
    controls: SESSION_CONTROL,
    limits,
  });
  try {
    await client.connect({ [names[0]]: addresses[names[0]] }, [names[0]]);
    await client.connect(addresses);
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}
