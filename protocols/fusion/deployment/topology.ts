import { z } from "zod";
import { isLoopback } from "../../wire/websocket-address.ts";
import { attnName, compName, smpcName } from "../../cascade/party-name.ts";
import { checkMachines } from "./machines.ts";
import { namesOf, nodeNames } from "./deployment.ts";
import { readText } from "../../../layers/read-text.ts";
import { schemaFaults } from "../config/schema-faults.ts";
import { SESSION_VERSION } from "../session/session-description.ts";

const parts = z.int().min(0).max(64);

/** Which node runs where. The same file goes to every machine. */
export const topologySchema = z.strictObject({
  /** CompNodes, and shards of the AttnNodes; both 0 where there are SMPC parties alone. */
  alpha: parts,
  beta: parts,
  /** SMPC parties: smpc.0, smpc.1, ... */
  parties: z.union([z.literal(0), z.int().min(2).max(8)]).optional(),
  /** A party "dealer" deals to them; else the client does. */
  dealer: z.boolean().optional(),
  /** Party to address, ws://host:port on loopback, wss://host:port elsewhere. */
  nodes: z.record(z.string(), z.url({ protocol: /^wss?$/ })),
  /** Party (also "client") to the name of its machine, where that is not the host of its address. */
  machines: z.record(z.string(), z.string().min(1)).optional(),
  /** AttnNodes of a query shard are linked, for masked merges. */
  attnLinks: z.boolean().optional(),
  /** Allow one machine to hold the shares of all SMPC parties, or those of one and what is dealt: it can then read everything. */
  insecureColocation: z.boolean().optional(),
});

export type Topology = z.infer<typeof topologySchema>;

/** Reads a topology file. Throws Error naming the file and the fault. */
export async function readTopology(file: string): Promise<Topology> {
  return parseTopology(await readText("topology", file), file);
}

/** Checks a topology. Throws Error naming `file` and the fault: syntax, unknown keys, a node missing, unknown or with a taken address. */
export function parseTopology(text: string, file: string): Topology {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`topology ${file}: expected JSON, got ${(error as Error).message}`, { cause: error });
  }
  const parsed = topologySchema.safeParse(value);
  if (!parsed.success)
    throw new Error(`topology ${file}: ${schemaFaults(parsed.error, topologySchema, value, { what: "content" })}`);
  const { alpha, beta, nodes, parties = 0 } = parsed.data;
  if ((alpha === 0) !== (beta === 0) || (alpha === 0 && parties === 0))
    throw new Error(
      `topology ${file}: expected alpha and beta above 0, or both 0 and SMPC parties, got alpha ${alpha}, beta ${beta} and ${parties} parties`,
    );
  const expected = namesOf(parsed.data);
  const missing = expected.filter((name) => !Object.hasOwn(nodes, name));
  if (missing.length > 0)
    throw new Error(
      `topology ${file}: expected an address for ${expected.length} nodes, got none for ${missing.join(", ")}`,
    );
  const unknown = Object.keys(nodes).filter((name) => !expected.includes(name));
  if (unknown.length > 0)
    throw new Error(
      `topology ${file}: expected nodes of alpha ${alpha} and beta ${beta} only, got ${unknown.join(", ")}`,
    );
  const taken = new Map<string, string>();
  for (const [name, address] of Object.entries(nodes)) {
    const other = taken.get(address);
    if (other !== undefined)
      throw new Error(
        `topology ${file}: expected an address of its own for ${name}, got ${address}, which is ${other}'s`,
      );
    taken.set(address, name);
  }
  checkMachines(parsed.data, `topology ${file}`);
  return parsed.data;
}

/**
 * A topology with ascending ports: nodes are dealt to the hosts in turn, CompNodes first. SMPC parties and a dealer, where there are some,
 * start again with the first host.
 */
export function makeTopology(
  alpha: number,
  beta: number,
  hosts: readonly string[],
  firstPort: number,
  secret: { readonly parties: number; readonly dealer: boolean } | null = null,
): Topology {
  const nodes: Record<string, string> = {};
  const cascade = nodeNames(alpha, beta).length;
  nodeNames(alpha, beta, secret?.parties, secret?.dealer).forEach((name, at) => {
    const host = hosts[(at < cascade ? at : at - cascade) % hosts.length];
    const scheme = isLoopback(host) ? "ws" : "wss";
    nodes[name] = `${scheme}://${host.includes(":") ? `[${host}]` : host}:${firstPort + at}`;
  });
  return { alpha, beta, ...secret, nodes };
}

/** What all parties of a deployment must agree on before a session; compared field by field in the handshake. */
export function deploymentDescription(
  alpha: number,
  beta: number,
  parties = 0,
  dealer = false,
  attnLinks = false,
): Record<string, number> {
  return {
    alpha,
    beta,
    parties,
    dealers: dealer ? 1 : 0,
    attnLinks: attnLinks ? 1 : 0,
    sessionVersion: SESSION_VERSION,
  };
}

/** Is this the name of a node of a deployment? Throws Error that says what names there are. */
export function checkNodeName(name: string, alpha: number, beta: number, parties = 0, dealer = false): void {
  if (nodeNames(alpha, beta, parties, dealer).includes(name)) return;
  const cascade =
    alpha === 0
      ? []
      : [`${compName(0)} to ${compName(alpha - 1)} or ${attnName(0, 0)} to ${attnName(beta - 1, beta - 1)}`];
  const secret = parties === 0 ? [] : [`${smpcName(0)} to ${smpcName(parties - 1)}${dealer ? ", or dealer" : ""}`];
  throw new Error(`party ${name}: expected ${[...cascade, ...secret].join(", ")}`);
}
