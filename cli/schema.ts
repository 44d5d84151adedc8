import { Argument, type Command } from "commander";
import { toJSONSchema, type z } from "zod";
import { didYouMean } from "../protocols/fusion/config/did-you-mean.ts";

/** What each schema describes; loaded when it is asked for. */
const SCHEMAS: Readonly<Record<string, () => Promise<z.ZodType>>> = {
  run: async () => (await import("../protocols/fusion/record/run-record.ts")).runRecord,
  verify: async () => (await import("../experiments/verify/verify-record.ts")).verifyRecord,
  bench: async () => (await import("../experiments/bench/bench-record.ts")).benchRecord,
  "bench-smpc": async () => (await import("../experiments/bench/smpc/record.ts")).smpcBenchRecord,
  plan: async () => (await import("../experiments/plan/plan-record.ts")).planRecord,
  prove: async () => (await import("./prove-record.ts")).proofRecord,
  attack: async () => (await import("../experiments/attacks/run/cell-record.ts")).cellRecord,
  "attack-config": async () => (await import("../experiments/attacks/run/attack-config.ts")).attackConfig,
  experiment: async () => (await import("../experiments/lab/experiment-record.ts")).experimentRecord,
  question: async () => (await import("../experiments/lab/question.ts")).questionSchema,
  config: async () => (await import("../protocols/fusion/config/run-config.ts")).runConfig,
  topology: async () => (await import("../protocols/fusion/deployment/topology.ts")).topologySchema,
  error: async () => (await import("./error-record.ts")).errorRecord,
};

/** `weir schema`: the JSON Schema of what weir prints and reads. */
export function addSchema(program: Command): void {
  const names = Object.keys(SCHEMAS);
  const argument = new Argument("<what>", "which");
  argument.argChoices = names; // shown and completed; a wrong one is refused below, with the nearest
  program
    .command("schema")
    .description("Print the JSON Schema of a command's --json output, of the config file or of the topology file.")
    .addArgument(argument)
    .action(async (what: string) => {
      if (!names.includes(what))
        throw new Error(`schema: expected one of ${names.join(", ")}, got ${what}${didYouMean(what, names)}`);
      process.stdout.write(`${JSON.stringify(toJSONSchema(await SCHEMAS[what]()), null, 2)}\n`);
    });
}
