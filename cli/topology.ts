import type { Command } from "commander";
import { int, strictObject } from "zod";
import { schemaFaults } from "../protocols/fusion/schema-faults.ts";
import { makeTopology, parseTopology } from "../protocols/fusion/topology.ts";

const parts = int().min(1).max(64);
/** Room for the ports of 64 + 64 * 64 nodes above the first. */
const sizes = strictObject({ alpha: parts, beta: parts, port: int().min(1).max(61_000) });

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
      const given = { alpha: number(flags.alpha), beta: number(flags.beta), port: number(flags.port) };
      const parsed = sizes.safeParse(given);
      if (!parsed.success) throw new Error(schemaFaults(parsed.error, given, "flags"));
      const { alpha, beta, port } = parsed.data;
      const text = JSON.stringify(makeTopology(alpha, beta, hostNames(flags.hosts), port), null, 2);
      parseTopology(text, "from these flags");
      process.stdout.write(`${text}\n`);
    });
}

/** What is no number stays text, for the error to show. */
const number = (text: string): number | string => (/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text);

function hostNames(text: string): string[] {
  const hosts = text.split(",").map((host) => host.trim());
  const wrong = hosts.find((host) => !/^[\w.:-]+$/.test(host));
  if (wrong !== undefined)
    throw new Error(
      `hosts: expected names or addresses of machines, separated by commas, got ${wrong === "" ? "an empty one" : `"${wrong}"`} in "${text}"`,
    );
  return hosts;
}
