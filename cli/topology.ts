import type { Command } from "commander";
import { int, literal, strictObject, union } from "zod";
import { schemaFaults } from "../protocols/fusion/config/schema-faults.ts";
import { makeTopology, parseTopology } from "../protocols/fusion/deployment/topology.ts";

const parts = int().min(1).max(64);
/** Room for the ports of 64 + 64 * 64 nodes above the first. */
const sizes = strictObject({
  alpha: parts,
  beta: parts,
  parties: union([literal(0), int().min(2).max(8)]),
  port: int().min(1).max(61_000),
});

/** `weir topology`: writes a topology file to stdout. */
export function addTopology(program: Command): void {
  program
    .command("topology")
    .description("Print a topology file: which node listens where. Give the same file to every machine.")
    .option("--alpha <n>", "CompNodes", "4")
    .option("--beta <n>", "shards of the AttnNodes (beta * beta of them)", "4")
    .option("--parties <n>", "SMPC parties", "0")
    .option("--dealer", "a party that deals to them; else the client does")
    .option("--attn-links", "link the AttnNodes of a query shard: runs with --merge masked need it")
    .option("--insecure-colocation", "allow one machine to open the shares of all SMPC parties: it then reads all")
    .option("--hosts <names>", "machines, separated by commas; nodes are dealt to them in turn", "127.0.0.1")
    .option("--port <n>", "the first port", "7700")
    .action((flags: TopologyFlags) => {
      const [alphaGiven, betaGiven, partiesGiven] = [flags.alpha, flags.beta, flags.parties].map(number);
      const given = { alpha: alphaGiven, beta: betaGiven, parties: partiesGiven, port: number(flags.port) };
      const parsed = sizes.safeParse(given);
      if (!parsed.success) throw new Error(schemaFaults(parsed.error, given, "flags"));
      const { alpha, beta, parties, port } = parsed.data;
      const secret = parties === 0 ? null : { parties, dealer: flags.dealer === true };
      const topology = makeTopology(alpha, beta, hostNames(flags.hosts), port, secret);
      const insecure = flags.insecureColocation === true ? { insecureColocation: true } : {};
      const links = flags.attnLinks === true ? { attnLinks: true } : {};
      const text = JSON.stringify({ ...topology, ...links, ...insecure }, null, 2);
      parseTopology(text, "from these flags");
      process.stdout.write(`${text}\n`);
    });
}

interface TopologyFlags {
  readonly alpha: string;
  readonly beta: string;
  readonly parties: string;
  readonly dealer?: boolean;
  readonly attnLinks?: boolean;
  readonly insecureColocation?: boolean;
  readonly hosts: string;
  readonly port: string;
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
