import path from "node:path";
import type { Command } from "commander";
import { openModel } from "../layers/model.ts";
import { CLIENT, partyKind } from "../protocols/cascade/party-name.ts";
import { Node } from "../protocols/fusion/node/node.ts";
import { DEFAULT_MODEL } from "../protocols/fusion/deployment/open-deployment.ts";
import { readCertificates } from "../protocols/fusion/deployment/remote-deployment.ts";
import { checkNodeName, readTopology } from "../protocols/fusion/deployment/topology.ts";
import type { LinkChange } from "../protocols/wire/endpoint-options.ts";
import { positiveInteger } from "./positive-integer.ts";
import { addNetworkFlags, type NetworkFlags } from "./network-flags.ts";

interface NodeFlags extends NetworkFlags {
  readonly party: string;
  readonly topology: string;
  readonly model: string;
  readonly views?: string;
  readonly correlations?: string;
  readonly threads: number;
}

/** `weir node`: one party on this machine. */
export function addNode(program: Command): void {
  const command = program
    .command("node")
    .description("Run one party of a topology on this machine, until it is stopped.")
    .requiredOption("--party <name>", "the party: comp.0, attn.1.2, ...")
    .requiredOption("--topology <file>", "the topology file, the same on every machine")
    .option("--model <path>", "folder with config.json, or a .gguf file", DEFAULT_MODEL)
    .option("--views <folder>", "keep what this party sees, in sessions that ask for it")
    .option(
      "--correlations <folder>",
      "SMPC party: keep dealt batches in a folder of its own, used once after a restart too",
    )
    .option("--threads <n>", "threads of each computation", positiveInteger, 1);
  addNetworkFlags(command).action(async (flags: NodeFlags) => {
    const topology = await readTopology(flags.topology);
    checkNodeName(flags.party, topology.alpha, topology.beta, topology.parties, topology.dealer);
    const model = await openModel(flags.model);
    const node = await Node.start({
      party: flags.party,
      alpha: topology.alpha,
      beta: topology.beta,
      parties: topology.parties,
      dealer: topology.dealer,
      attnLinks: topology.attnLinks,
      model,
      listen: topology.nodes[flags.party],
      viewsFolder: flags.views === undefined ? null : path.resolve(flags.views),
      correlationsFolder: flags.correlations === undefined ? null : path.resolve(flags.correlations),
      threads: flags.threads,
      head: partyKind(flags.party) === "comp",
      certificates: await readCertificates(flags),
      insecurePlaintext: flags.insecurePlaintext,
      onLinkChange: (change) => tellOf(flags.party, change),
    });
    process.stderr.write(`${flags.party} listens at ${node.endpoint.address}\n`);
    const stop = (): void => {
      void node.close().finally(() => process.exit());
    };
    process.once("SIGINT", stop);
    process.once("SIGTERM", stop);
    try {
      await node.join(topology.nodes);
      process.stderr.write(`${flags.party} is linked to all its peers\n`);
      await node.failed();
    } finally {
      await node.close(); // nothing is left that would keep the process
    }
  });
}

/** A line for whoever keeps the node running; what a client does is not worth one. */
function tellOf(party: string, { peer, state, reason }: LinkChange): void {
  if (peer === CLIENT) return;
  if (state === "refused") process.stderr.write(`${party}: refused a link: ${reason!.message}\n`);
  else if (state === "lost") process.stderr.write(`${party}: lost ${peer}: ${reason!.message}; waiting for it\n`);
  else process.stderr.write(`${party}: linked to ${peer}\n`);
}
