import { readFile } from "node:fs/promises";
import type { Certificates } from "../wire/websocket-transport.ts";
import { nodeNames, type Deployment } from "./deployment.ts";
import { linkClient } from "./local-processes.ts";
import type { RunConfig } from "./run-config.ts";
import { readTopology } from "./topology.ts";

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
  const client = await linkClient(
    {
      ...shape,
      fingerprint,
      certificates: await readCertificates(config),
      insecurePlaintext: config.insecurePlaintext,
    },
    topology.nodes,
  );
  return { client, nodes: nodeNames(shape.alpha, shape.beta), close: () => client.close() };
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
