import path from "node:path";
import type { Command } from "commander";
import { z } from "zod";
import { CLIENT, partyKind } from "../protocols/cascade/party-name.ts";
import { pathText } from "../protocols/fusion/config/path-text.ts";
import type { LinkChange } from "../protocols/wire/endpoint-options.ts";
import { addFlags, readFlags } from "./flags.ts";
import { networkFlags } from "./network-flags.ts";
import { withoutControls } from "./terminal.ts";

const flags = z.object({
  party: z.string().min(1).meta({ title: "name" }).describe("the party: comp.0, attn.1.2, ..."),
  topology: pathText("file").describe("the topology file, the same on every machine"),
  model: pathText("path")
    .optional()
    .describe("folder with config.json, or a .gguf file (default: the model in models/default)"),
  views: pathText("folder").optional().describe("keep what this party sees, in sessions that ask for it"),
  correlations: pathText("folder")
    .optional()
    .describe("SMPC party: keep dealt batches in a folder of its own, used once after a restart too"),
  threads: z.int().min(1).default(1).describe("threads of each computation"),
  ...networkFlags.shape,
});

/** `weir node`: one party on this machine. */
export function addNode(program: Command): void {
  const command = program
    .command("node")
    .description("Run one party of a topology on this machine, until it is stopped.");
  addFlags(command, flags).action(async (given: Record<string, unknown>) => {
    const { party, topology: file, model: named, views, correlations, threads, ...network } = readFlags(flags, given);
    const [{ openModel }, { Node }, { DEFAULT_MODEL }, { readCertificates }, { checkNodeName, readTopology }] =
      await Promise.all([
        import("../layers/model.ts"),
        import("../protocols/fusion/node/node.ts"),
        import("../protocols/fusion/deployment/open-deployment.ts"),
        import("../protocols/fusion/deployment/remote-deployment.ts"),
        import("../protocols/fusion/deployment/topology.ts"),
      ]);
    process.title = `weir ${party}`;
    const topology = await readTopology(file);
    checkNodeName(party, topology.alpha, topology.beta, topology.parties, topology.dealer);
    const model = await openModel(named ?? DEFAULT_MODEL);
    const node = await Node.start({
      party,
      alpha: topology.alpha,
      beta: topology.beta,
      parties: topology.parties,
      dealer: topology.dealer,
      attnLinks: topology.attnLinks,
      model,
      listen: topology.nodes[party],
      viewsFolder: views === undefined ? null : path.resolve(views),
      correlationsFolder: correlations === undefined ? null : path.resolve(correlations),
      threads,
      head: partyKind(party) === "comp",
      certificates: await readCertificates(network),
      insecurePlaintext: network.insecurePlaintext,
      onLinkChange: (change) => tellOf(party, change),
    });
    process.stderr.write(`${party} listens at ${node.endpoint.address}\n`);
    const stop = (): void => {
      void node.close().finally(() => process.exit());
    };
    process.once("SIGINT", stop);
    process.once("SIGTERM", stop);
    try {
      await node.join(topology.nodes);
      process.stderr.write(`${party} is linked to all its peers\n`);
      await node.failed();
    } finally {
      await node.close(); // nothing is left that would keep the process
    }
  });
}

/** A line for whoever keeps the node running; what a client does is not worth one. */
function tellOf(party: string, { peer, state, reason }: LinkChange): void {
  if (peer === CLIENT) return;
  if (state === "refused") process.stderr.write(`${party}: refused a link: ${withoutControls(reason!.message)}\n`);
  else if (state === "lost")
    process.stderr.write(`${party}: lost ${peer}: ${withoutControls(reason!.message)}; waiting for it\n`);
  else process.stderr.write(`${party}: linked to ${peer}\n`);
}
