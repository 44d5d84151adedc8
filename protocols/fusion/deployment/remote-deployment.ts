import type { Certificates } from "../../wire/websocket-transport.ts";
import { networkInterfaces, hostname } from "node:os";
import { namesOf, type Deployment, type DeploymentShape } from "./deployment.ts";
import { linkClient } from "./local-processes.ts";
import { readText } from "../../../layers/read-text.ts";
import { placementText, type RunConfig } from "../config/run-config.ts";
import { CLIENT } from "../../cascade/party-name.ts";
import { checkMachines, machineOf, machinesBeside, type PlacedParties } from "./machines.ts";
import { readTopology, type Topology } from "./topology.ts";

/** Links the client to the nodes of a topology file, which run already, once they serve no other client. Throws Error naming the file, or a node that can't be reached. */
export async function joinTopology(
  config: RunConfig,
  shape: DeploymentShape,
  fingerprint: string,
  report: (doing: string) => void,
): Promise<Deployment> {
  const topology = await readTopology(config.topology!);
  if (topology.alpha === 0 && shape.alpha > 0)
    throw new Error(
      `placement: expected no layer in Cascade with ${config.topology}, which has SMPC parties alone, got ${placementText(config)}; run --preset hidden, or make a topology with weir topology --preset hybrid`,
    );
  for (const side of ["alpha", "beta"] as const) {
    // A run with all layers under SMPC needs none of them.
    if (topology[side] !== shape[side] && shape[side] !== 0)
      throw new Error(
        `${side}: expected ${topology[side]} (${config.topology}), got ${shape[side]}; give the shardings that the nodes were started for`,
      );
  }
  const { alpha, beta, parties, dealer, attnLinks } = topology;
  if (config.merge === "masked" && attnLinks !== true)
    throw new Error(
      `merge: expected a topology whose AttnNodes are linked (attnLinks) for masked, got ${config.topology} without; weir topology --attn-links makes one`,
    );
  const placed = withClient(topology, config);
  if (shape.parties !== undefined) {
    if ((parties ?? 0) === 0)
      throw new Error(
        `placement: expected no layer on shares with ${config.topology}, which has no SMPC parties, got ${placementText(config)}; weir topology --preset hidden --hosts A,B writes one that has`,
      );
    if ((parties ?? 0) < shape.parties)
      throw new Error(`parties: expected at most ${parties ?? 0} (${config.topology}), got ${shape.parties}`);
    if ((dealer ?? false) !== shape.dealer)
      throw new Error(
        `dealer: expected ${dealer === true ? "dealer" : "client"} (${config.topology}), got ${config.dealer}`,
      );
    checkMachines(placed, `topology ${config.topology}`);
  }
  const whole = { alpha, beta, parties, dealer, attnLinks };
  const client = await linkClient(
    {
      ...whole,
      fingerprint,
      certificates: await readCertificates(config),
      insecurePlaintext: config.insecurePlaintext,
      busyMs: config.waitSeconds * 1000,
      report,
    },
    topology.nodes,
  );
  const located = [CLIENT, ...namesOf(whole)].map((party) => [party, machineOf(party, placed)] as const);
  const machines = Object.fromEntries(located.filter((entry): entry is [string, string] => entry[1] !== null));
  return { client, nodes: namesOf(whole), machines, close: () => client.close() };
}

/** The placement with the client's machine in it: the label of a party whose address is this machine's, or that address. */
function withClient(topology: Topology, { insecureColocation }: RunConfig): PlacedParties {
  const own = [hostname(), ...Object.values(networkInterfaces()).flatMap((all = []) => all.map((at) => at.address))];
  const machines = machinesBeside(topology, own);
  return { ...topology, machines, insecureColocation: topology.insecureColocation === true || insecureColocation };
}

/** The PEM files that wss:// needs. Throws Error naming a file that can't be read. */
export async function readCertificates(files: {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
}): Promise<Certificates> {
  const read = async (name: string, file: string | undefined): Promise<Record<string, string>> =>
    file === undefined ? {} : { [name]: await readText(name, file, "a readable PEM file") };
  return { ...(await read("cert", files.cert)), ...(await read("key", files.key)), ...(await read("ca", files.ca)) };
}
