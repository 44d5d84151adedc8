import { Argument, type Command } from "commander";
import { toJSONSchema } from "zod";
import { attackConfig } from "../experiments/attacks/run/attack-config.ts";
import { cellRecord } from "../experiments/attacks/run/cell-record.ts";
import { verifyRecord } from "../experiments/verify/verify-record.ts";
import { benchRecord } from "../experiments/bench/bench-record.ts";
import { smpcBenchRecord } from "../experiments/bench/smpc/record.ts";
import { planRecord } from "../experiments/plan/plan-record.ts";
import { runConfig } from "../protocols/fusion/config/run-config.ts";
import { runRecord } from "../protocols/fusion/record/run-record.ts";
import { topologySchema } from "../protocols/fusion/deployment/topology.ts";
import { proofRecord } from "./prove-record.ts";

const SCHEMAS = {
  run: runRecord,
  verify: verifyRecord,
  bench: benchRecord,
  "bench-smpc": smpcBenchRecord,
  plan: planRecord,
  prove: proofRecord,
  attack: cellRecord,
  "attack-config": attackConfig,
  config: runConfig,
  topology: topologySchema,
} as const;

/** `weir schema`: the JSON Schema of what weir prints and reads. */
export function addSchema(program: Command): void {
  program
    .command("schema")
    .description("Print the JSON Schema of a command's --json output, of the config file or of the topology file.")
    .addArgument(new Argument("<what>", "which").choices(Object.keys(SCHEMAS)))
    .action((what: keyof typeof SCHEMAS) => {
      process.stdout.write(`${JSON.stringify(toJSONSchema(SCHEMAS[what]), null, 2)}\n`);
    });
}
