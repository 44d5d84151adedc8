import path from "node:path";
import type { Command } from "commander";
import { DEFAULT_MODEL } from "../protocols/fusion/deployment/open-deployment.ts";
import { startNodeProcesses } from "../protocols/fusion/node/node-processes.ts";
import { progress } from "./progress.ts";
import { readTopology } from "../protocols/fusion/deployment/topology.ts";

interface UpFlags {
  readonly topology: string;
  readonly model: string;
  readonly views?: string;
}

/** `weir up`: every node of a topology on this machine. */
export function addUp(program: Command): void {
  program
    .command("up")
    .description(
      "Run every node of a topology on this machine, a process each, until stopped; then `weir run --topology FILE` from another shell.",
    )
    .requiredOption("--topology <file>", "the topology file; all its addresses must be this machine's")
    .option("--model <path>", "folder with config.json, or a .gguf file", DEFAULT_MODEL)
    .option("--views <folder>", "keep what the parties see, in sessions that ask for it")
    .action(async (flags: UpFlags) => {
      const topology = await readTopology(flags.topology);
      const report = progress(false);
      const processes = await startNodeProcesses({
        alpha: topology.alpha,
        beta: topology.beta,
        parties: topology.parties,
        dealer: topology.dealer,
        attnLinks: topology.attnLinks,
        model: path.resolve(flags.model),
        viewsFolder: flags.views === undefined ? null : path.resolve(flags.views),
        head: true,
        addresses: topology.nodes,
        report: report.step,
      });
      try {
        report.step(`linking ${processes.pids.size} parties`);
        await processes.join();
        report.clear();
        process.stderr.write(`${processes.pids.size} nodes are linked; stop them with Ctrl-C\n`);
        await Promise.race([processes.failed(), stopped()]);
      } finally {
        await processes.close();
      }
    });
}

/** Resolves at SIGINT or SIGTERM. */
function stopped(): Promise<void> {
  return new Promise((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
}
