import path from "node:path";
import { InvalidArgumentError, type Command } from "commander";
import { verify } from "../experiments/verify/verify.ts";
import { addConfigFlags, readConfig } from "./config-flags.ts";
import { progress } from "./progress.ts";

/** Bound on errors relative to the largest magnitude of a tensor: float32 keeps 7 digits, and 30 layers add up. */
const TOLERANCE = 1e-4;

/** `weir verify`: are the results those of another framework? */
export function addVerify(program: Command): void {
  const command = program
    .command("verify")
    .description(
      "Compare the plain and the sharded model with a golden file that another framework made; one JSON line, exit 1 beyond the tolerance.",
    )
    .requiredOption(
      "--golden <file>",
      "safetensors file with input_ids, hidden.I, logits, greedy (prefixes P. optional)",
    )
    .option("--tolerance <x>", "largest error relative to a tensor's largest magnitude", positive, TOLERANCE);
  addConfigFlags(command, [
    "model",
    "alpha",
    "c",
    "m",
    "beta",
    "r",
    "s",
    "wire",
    "merge",
    "place",
    "topology",
    "cert",
    "key",
    "ca",
    "insecurePlaintext",
  ]).action(async (flags: Record<string, unknown>) => {
    const config = await readConfig(flags);
    const report = progress(false);
    const record = await verify(config, path.resolve(String(flags.golden)), Number(flags.tolerance), report.step);
    report.clear();
    process.stdout.write(`${JSON.stringify(record)}\n`);
    if (!record.ok) process.exitCode = 1;
  });
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("expected a number above 0");
  return value;
}
