import type { Command } from "commander";
import { makeTopology } from "../protocols/fusion/topology.ts";

/** `weir topology`: writes a topology file to stdout. */
export function addTopology(program: Command): void {
  program
    .command("topology")
    .description("Print a topology file: which node listens where. Give the same file to every machine.")
    .option("--alpha <n>", "CompNodes", "4")
    .option("--beta <n>", "shards of the AttnNodes (beta * beta of them)", "4")
    .option("--hosts <names>", "machines, separated by commas; nodes are dealt to them in turn", "127.0.0.1")
    .option("--port <n>", "the first port", "7700")
    .action((flags: { alpha: string; beta: string; hosts: string; port: string }) => {
      const topology = makeTopology(
        Number(flags.alpha),
        Number(flags.beta),
        flags.hosts.split(","),
        Number(flags.port),
      );
      process.stdout.write(`${JSON.stringify(topology, null, 2)}\n`);
    });
}
