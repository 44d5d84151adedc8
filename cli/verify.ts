import path from "node:path";
import type { Command } from "commander";
import { z } from "zod";
import { pathText } from "../protocols/fusion/config/path-text.ts";
import { addConfigFlags, readConfig } from "./config-flags.ts";
import { addFlags, readFlags } from "./flags.ts";
import { progress } from "./progress.ts";

const flags = z.object({
  golden: pathText("file").describe("safetensors file with input_ids, hidden.I, logits, greedy (prefixes P. optional)"),
  tolerance: z
    .number()
    .gt(0)
    .optional()
    .describe(
      "largest error relative to a tensor's largest magnitude (default: 1e-4; 2e-2 of what comes after layers under SMPC)",
    ),
  json: z.boolean().default(false).describe("print the JSON object (weir schema verify) and nothing else"),
});

/** `weir verify`: are the results those of another framework? */
export function addVerify(program: Command): void {
  const command = program
    .command("verify")
    .description(
      "Compare the plain and the sharded model, and layers under SMPC, with a golden file that another framework made; one JSON line, exit 1 beyond the tolerance.",
    );
  addConfigFlags(addFlags(command, flags), [
    "model",
    "alpha",
    "c",
    "m",
    "beta",
    "r",
    "s",
    "wire",
    "merge",
    "smpcLayers",
    "smpcPrecision",
    "smpcTrade",
    "parties",
    "dealer",
    "place",
    "topology",
    "cert",
    "key",
    "ca",
    "insecurePlaintext",
    "insecureColocation",
  ]).action(async (given: Record<string, unknown>) => {
    const { golden, tolerance, json } = readFlags(flags, given);
    const { config, named } = await readConfig(given);
    const { verify } = await import("../experiments/verify/verify.ts");
    const report = progress(json);
    try {
      const record = await verify(config, path.resolve(golden), tolerance ?? null, report.step);
      report.clear();
      process.stdout.write(`${JSON.stringify(record)}\n`);
      if (!record.ok) process.exitCode = 1;
    } catch (error) {
      report.clear();
      throw named(error);
    }
  });
}
