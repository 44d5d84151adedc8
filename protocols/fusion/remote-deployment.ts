import { readFile } from "node:fs/promises";
import { CLIENT } from "../cascade/comp-node.ts";
import { createEndpoint } from "../wire/party-endpoint.ts";
import { WebSocketTransport, type Certificates } from "../wire/websocket-transport.ts";
import { nodeNames, type Deployment } from "./deployment.ts";
import type { RunConfig } from "./run-config.ts";
import { SESSION_CONTROL } from "./session-control.ts";
import { deploymentDescription, readTopology } from "./topology.ts";

/** Links the client to the nodes of a topology file, which run already. Throws Error naming the file, or a node that can't be reached. */
export async function joinTopology(
  config: RunConfig,
  shape: { readonly alpha: number; readonly beta: number },
  fingerprint: string,
): Promise<Deployment> {
  const topology = await readTopology(config.topology!);
  for (const side of ["alpha", "beta"] as const) {
    if (topology[side] !== shape[side])
      throw new Error(
        `${side}: expected ${topology[side]} (${config.topology}), got ${shape[side]}; give the shardings that the nodes were started for`,
      );
  }
  const nodes = nodeNames(shape.alpha, shape.beta);
  const client = await createEndpoint({
    party: CLIENT,
    transport: new WebSocketTransport({
      certificates: await readCertificates(config),
      insecurePlaintext: config.insecurePlaintext,
    }),
    peers: Object.fromEntries(nodes.map((name) => [name, "dial" as const])),
    model: fingerprint,
    description: deploymentDescription(shape.alpha, shape.beta),
    controls: SESSION_CONTROL,
  });
  try {
    await client.connect(topology.nodes);
  } catch (error) {
    await client.close();
    throw error;
  }
  return { client, nodes, close: () => client.close() };
}

/** The PEM files that wss:// needs. Throws Error naming a file that can't be read. */
export async function readCertificates(files: {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
}): Promise<Certificates> {
  const read = async (name: string, file: string | undefined): Promise<Record<string, string>> => {
    if (file === undefined) return {};
    try {
      return { [name]: await readFile(file, "utf8") };
    } catch (error) {
      throw new Error(
        `${name} ${file}: expected a readable PEM file, got ${(error as NodeJS.ErrnoException).code ?? "an error"}`,
        { cause: error },
      );
    }
  };
  return { ...(await read("cert", files.cert)), ...(await read("key", files.key)), ...(await read("ca", files.ca)) };
}
