import path from "node:path";
import type { Command } from "commander";
import { z } from "zod";
import { pathText } from "../protocols/fusion/config/path-text.ts";
import { addFlags, readFlags } from "./flags.ts";
import { networkFlags } from "./network-flags.ts";
import { progress } from "./progress.ts";

const flags = z.object({
  topology: pathText("file").describe("the topology file; all its addresses must be this machine's"),
  model: pathText("path")
    .optional()
    .describe("folder with config.json, or a .gguf file (default: the model in models/default)"),
  views: pathText("folder").optional().describe("keep what the parties see, in sessions that ask for it"),
  ...networkFlags.shape,
});

/** `weir up`: every node of a topology on this machine. */
export function addUp(program: Command): void {
  const command = program
    .command("up")
    .description(
      "Run every node of a topology on this machine, a process each, until stopped; then `weir run --topology FILE` from another shell.",
    );
  addFlags(command, flags).action(async (given: Record<string, unknown>) => {
    const { topology: file, model, views, ...network } = readFlags(flags, given);
    const [{ checkPorts }, { DEFAULT_MODEL }, { startNodeProcesses }, { readCertificates }, { readTopology }] =
      await Promise.all([
        import("../protocols/fusion/deployment/check-ports.ts"),
        import("../protocols/fusion/deployment/open-deployment.ts"),
        import("../protocols/fusion/node/node-processes.ts"),
        import("../protocols/fusion/deployment/remote-deployment.ts"),
        import("../protocols/fusion/deployment/topology.ts"),
      ]);
    const topology = await readTopology(file);
    await checkPorts(topology.nodes, network.insecurePlaintext, `--topology ${file}`);
    const report = progress(false);
    report.step(`starting ${Object.keys(topology.nodes).length} node processes`);
    const processes = await startNodeProcesses({
      alpha: topology.alpha,
      beta: topology.beta,
      parties: topology.parties,
      dealer: topology.dealer,
      attnLinks: topology.attnLinks,
      model: path.resolve(model ?? DEFAULT_MODEL),
      viewsFolder: views === undefined ? null : path.resolve(views),
      head: true,
      addresses: topology.nodes,
      certificates: await readCertificates(network),
      insecurePlaintext: network.insecurePlaintext,
      report: report.step,
    }).finally(report.clear);
    const stop = stopped();
    try {
      report.step("linking them");
      const running = await Promise.race([processes.join(), stop]);
      report.clear();
      if (running === STOPPED) return;
      process.stderr.write(`${processes.pids.size} nodes are linked; stop them with Ctrl-C\n`);
      await Promise.race([processes.failed(), stop]);
    } finally {
      report.clear();
      await processes.close();
    }
  });
}

const STOPPED = Symbol("stopped");

/** Resolves at SIGINT or SIGTERM. */
function stopped(): Promise<typeof STOPPED> {
  return new Promise((resolve) => {
    const stop = (): void => resolve(STOPPED);
    process.once("SIGINT", stop);
    process.once("SIGTERM", stop);
  });
}
