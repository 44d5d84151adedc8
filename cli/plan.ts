import { writeFile } from "node:fs/promises";
import { InvalidArgumentError, Option, type Command } from "commander";
import { plan } from "../experiments/plan/plan.ts";
import { PRECISIONS, type PrecisionName } from "../protocols/smpc/lowering/precision.ts";
import { planTable } from "./plan-table.ts";
import { positiveInteger } from "./positive-integer.ts";
import { progress } from "./progress.ts";

interface PlanFlags {
  readonly model?: string;
  readonly shape?: "bert-base" | "smollm2";
  readonly n: number;
  readonly newTokens: number;
  readonly machines: number;
  readonly simulate?: boolean;
  readonly rttMs: number;
  readonly mbit: number;
  readonly rate: number;
  readonly smpcRate: number;
  readonly maxSeconds?: number;
  readonly maxMb?: number;
  readonly minGap?: number;
  readonly maxCluster?: number;
  readonly minParties?: number;
  readonly hideIds?: boolean;
  readonly smpcPrecision: PrecisionName;
  readonly merge: "plain" | "masked";
  readonly point?: number;
  readonly all?: boolean;
  readonly out?: string;
  readonly json?: boolean;
}

/** `weir plan`: what hiding more costs, ahead of any run. */
export function addPlan(program: Command): void {
  program
    .command("plan")
    .description(
      "Plan a run: shardings and layers under SMPC, by the declared costs and the public schedule; the front of cost against exposure, and one point of it as a config.",
    )
    .option("--model <path>", "folder with config.json, or a .gguf file (default: the model in models/default)")
    .addOption(
      new Option("--shape <name>", "instead of a model: the shape of a real one, with random weights")
        .choices(["bert-base", "smollm2"])
        .conflicts(["model", "out"]),
    )
    .requiredOption("--n <n>", "tokens of the prompt", positiveInteger)
    .option("--new-tokens <n>", "tokens to generate; all of them are counted", positiveInteger, 16)
    .option("--machines <n>", "machines, one for each role, the client apart", positiveInteger, 9)
    .addOption(
      new Option(
        "--simulate",
        "roles share machines: a simulation, with up to 16 CompNodes and 256 AttnNodes",
      ).conflicts("machines"),
    )
    .option("--rtt-ms <ms>", "round trip of the network", positive, 1)
    .option("--mbit <n>", "megabits a second", positive, 1000)
    .option("--rate <n>", "multiply-adds of floats a second", positive, 1e10)
    .option("--smpc-rate <n>", "multiply-adds of words under SMPC a second", positive, 4e8)
    .option("--max-seconds <s>", "most estimated seconds", positive)
    .option("--max-mb <mb>", "most megabytes sent, dealt ones included", positive)
    .option("--min-gap <n>", "smallest gap that a CompNode or AttnNode may see", positiveInteger)
    .option("--max-cluster <n>", "most positions in a row that a CompNode or AttnNode may see", positiveInteger)
    .option("--min-parties <n>", "fewest SMPC parties that must collude", positiveInteger)
    .option("--hide-ids", "no node may get token ids")
    .addOption(
      new Option("--smpc-precision <name>", "how finely wires under SMPC are cut")
        .choices(Object.keys(PRECISIONS))
        .default("fine"),
    )
    .addOption(
      new Option("--merge <name>", "how partial results become a row in Cascade; masked: their sum alone")
        .choices(["plain", "masked"])
        .default("plain"),
    )
    .option(
      "--point <n>",
      "the point of the front that is chosen (default: the one of least estimated seconds)",
      positiveInteger,
    )
    .option("--all", "print every point of a long front")
    .option("--out <file>", "write the chosen point's config, for weir run --config")
    .option("--json", "print one JSON object (weir schema plan) and nothing else")
    .action(async (flags: PlanFlags) => {
      const report = progress(flags.json === true);
      const { n, rate, smpcRate, smpcPrecision, simulate, machines, ...rest } = flags;
      const record = await plan(
        {
          ...rest,
          ...(simulate === true ? {} : { machines }),
          promptLength: n,
          precision: smpcPrecision,
          multiplyAddsPerSecond: rate,
          wordMultiplyAddsPerSecond: smpcRate,
        },
        report.step,
      );
      report.clear();
      if (flags.out !== undefined) {
        const { config } = record.chosen;
        if (config === null)
          throw new Error(`out: expected a decoder, got an encoder (${record.model.name}); weir run takes none`);
        await writeFile(flags.out, `${JSON.stringify(config, null, 2)}\n`);
      }
      process.stdout.write(
        flags.json === true
          ? `${JSON.stringify(record)}\n`
          : planTable(record, { all: flags.all === true, out: flags.out }),
      );
    });
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) throw new InvalidArgumentError("expected a number above 0");
  return value;
}
