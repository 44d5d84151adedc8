import type { Command } from "commander";
import { z } from "zod";
import { runConfig } from "../protocols/fusion/config/run-config.ts";
import { addFlags, readFlags } from "./flags.ts";

const parts = z.int().min(1).max(64);

const flags = z.object({
  preset: runConfig.shape.preset.describe("the nodes that a run with this preset needs, and no others"),
  alpha: parts.default(4).describe("CompNodes"),
  beta: parts.default(4).describe("shards of the AttnNodes, which are beta * beta"),
  parties: z
    .union([z.literal(0), z.int().min(2).max(8)])
    .default(0)
    .describe("SMPC parties (with a preset that has some: 2)"),
  dealer: z.boolean().default(false).describe("a party that deals to them; else the client does"),
  attnLinks: z
    .boolean()
    .default(false)
    .describe("link the AttnNodes of a query shard: runs with --merge masked need it"),
  insecureColocation: z
    .boolean()
    .default(false)
    .describe("allow one machine to open the shares of all SMPC parties: it then reads all"),
  hosts: z
    .array(
      z
        .string()
        .regex(/^[\w.:-]+$/, "names or addresses of machines, separated by commas")
        .meta({ title: "host" }),
    )
    .default(["127.0.0.1"])
    .describe("machines; nodes are dealt to them in turn"),
  /** Room for the ports of 64 + 64 * 64 nodes above the first. */
  port: z.int().min(1).max(61_000).default(7700).describe("the first port"),
});

/** `weir topology`: writes a topology file to stdout. */
export function addTopology(program: Command): void {
  const command = program
    .command("topology")
    .description("Print a topology file: which node listens where. Give the same file to every machine.");
  addFlags(command, flags).action(async (given: Record<string, unknown>) => {
    const { preset, attnLinks, insecureColocation, hosts, port, ...shape } = readFlags(flags, given);
    const [{ makeTopology, parseTopology }, { presetNodes }] = await Promise.all([
      import("../protocols/fusion/deployment/topology.ts"),
      import("../protocols/fusion/deployment/preset-nodes.ts"),
    ]);
    const { alpha, beta, parties, dealer } = preset === undefined ? shape : presetNodes(preset, shape);
    const topology = makeTopology(alpha, beta, hosts, port, parties === 0 ? null : { parties, dealer });
    const allowed = { ...(attnLinks ? { attnLinks } : {}), ...(insecureColocation ? { insecureColocation } : {}) };
    const text = JSON.stringify({ ...topology, ...allowed }, null, 2);
    parseTopology(text, "from these flags");
    process.stdout.write(`${text}\n`);
  });
}
