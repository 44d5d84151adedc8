import { Option, type Command } from "commander";
import { benchSmpc } from "../experiments/bench/smpc/bench.ts";
import type { SmpcBenchRecord } from "../experiments/bench/smpc/record.ts";
import type { LayersToRun } from "../experiments/bench/smpc/workload.ts";
import type { Widths } from "../experiments/bench/smpc/reference.ts";
import type { SyntheticShape } from "../experiments/bench/synthetic-layer.ts";
import { PRECISIONS, type PrecisionName } from "../protocols/smpc/lowering/precision.ts";
import { nonNegativeInteger, positiveInteger } from "./positive-integer.ts";
import { progress } from "./progress.ts";

interface Flags {
  readonly shape: SyntheticShape;
  readonly layers: number;
  readonly model?: string;
  readonly layer?: number;
  readonly text?: string;
  readonly n: number;
  readonly parties: number;
  readonly precision: PrecisionName;
  readonly widths: Widths;
  readonly place: "processes" | "memory";
  readonly rounds: number;
  readonly warmups: number;
  readonly json?: boolean;
}

/** `weir bench smpc`: what layers cost under SMPC, and how far their rows are from float64. */
export function addBenchSmpc(bench: Command): void {
  bench
    .command("smpc")
    .description(
      "Run layers under SMPC between processes over WebSockets on loopback: bytes, rounds, seconds, memory, and the error against float64.",
    )
    .addOption(
      new Option("--shape <shape>", "layers of this shape with made-up weights")
        .choices(["bert-base", "smollm2"])
        .default("bert-base"),
    )
    .option("--layers <n>", "how many of them", positiveInteger, 1)
    .option("--model <path>", "a layer of this model instead: folder with config.json, or a .gguf file")
    .option("--layer <n>", "which layer of the model, 0-based", nonNegativeInteger)
    .option(
      "--text <file>",
      "the model's prompt, whose first --n tokens run; not one that its ranges were calibrated on",
    )
    .option("--n <n>", "rows", positiveInteger, 128)
    .option("--parties <n>", "SMPC parties, from 2", positiveInteger, 2)
    .addOption(
      new Option("--precision <name>", "how finely wires are cut").choices(Object.keys(PRECISIONS)).default("default"),
    )
    .addOption(
      new Option("--widths <which>", "of made-up layers: as trained models need, or as observed")
        .choices(["trained", "observed"])
        .default("trained"),
    )
    .addOption(
      new Option("--place <place>", "parties in processes, or all in this one")
        .choices(["processes", "memory"])
        .default("processes"),
    )
    .option("--rounds <n>", "measured runs", positiveInteger, 3)
    .option("--warmups <n>", "runs before them, in which processes compile their hot code", nonNegativeInteger, 2)
    .option("--json", "print one JSON object (weir schema bench-smpc) and nothing else")
    .action(async (flags: Flags) => {
      const report = progress(flags.json === true);
      const record = await benchSmpc({ ...flags, run: layersOf(flags) }, report.step);
      report.clear();
      process.stdout.write(flags.json === true ? `${JSON.stringify(record)}\n` : `${lines(record).join("\n")}\n`);
    });
}

function layersOf({ shape, layers, model, layer, text }: Flags): LayersToRun {
  if (model === undefined) {
    if (layer !== undefined || text !== undefined)
      throw new Error("layer and text: expected with --model, got them without one");
    return { kind: "synthetic", shape, layers };
  }
  if (layer === undefined || text === undefined)
    throw new Error("model: expected --layer and --text with it, got it without them");
  return { kind: "model", path: model, layer };
}

function lines(record: SmpcBenchRecord): string[] {
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;
  const { layers, dealerSeconds, partyCpuSeconds, residentBytes } = record;
  return [
    `${record.shape}, ${layers} layer${layers === 1 ? "" : "s"}, ${record.n} rows, ${record.parties} parties in ${record.place}, ` +
      `${record.precision} precision, ${record.ranges} ranges`,
    `online ${mb(record.onlineBytes)} in ${record.rounds} rounds, dealt ${mb(record.dealtBytes)}, as declared; the same layers as Cascade: ${mb(record.cascadePayloadBytes)}`,
    `online phase ${record.seconds.toFixed(3)} s (CPU s by party: ${partyCpuSeconds.map((each) => each.toFixed(3)).join(", ")}); ` +
      `dealing ${dealerSeconds.toFixed(3)} CPU s, ${(layers / dealerSeconds).toFixed(2)} layers a second`,
    `error against float64: largest ${record.maxAbsError.toExponential(2)}, mean ${record.meanAbsError.toExponential(2)}, of values up to ${record.maxAbsOutput.toFixed(1)}; ${record.failedRows} failed rows`,
    `memory: parties ${residentBytes.map((bytes) => `${Math.round(bytes / 2 ** 20)} MiB`).join(", ")}`,
  ];
}
