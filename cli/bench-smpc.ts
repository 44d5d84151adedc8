import type { Command } from "commander";
import { z } from "zod";
import type { SmpcBenchRecord } from "../experiments/bench/smpc/record.ts";
import type { LayersToRun } from "../experiments/bench/smpc/workload.ts";
import { pathText } from "../protocols/fusion/config/path-text.ts";
import { runConfig } from "../protocols/fusion/config/run-config.ts";
import { PLACED_ON_SHARES } from "../protocols/fusion/session/layer-placement.ts";
import { addFlags, readFlags } from "./flags.ts";
import { progress } from "./progress.ts";

const whole = z.int().min(1);

const flags = z.object({
  shape: z.enum(["bert-base", "smollm2"]).default("bert-base").describe("layers of this shape with made-up weights"),
  layers: whole.default(1).describe("how many of them"),
  model: pathText("path")
    .optional()
    .describe("a layer of this model instead: folder with config.json, or a .gguf file"),
  layer: z.int().min(0).optional().describe("which layer of the model"),
  text: pathText("file")
    .optional()
    .describe("the model's prompt, whose first --n tokens run; not one that its ranges were calibrated on"),
  n: whole.default(128).describe("rows"),
  parties: runConfig.shape.parties.describe("SMPC parties"),
  placement: z
    .string()
    .regex(PLACED_ON_SHARES, "smpc, delegated, or smpc:GROUP+GROUP")
    .default("smpc")
    .describe(
      "how: smpc; delegated: the parties multiply, the client does the rest; smpc:attention+norm+activation: it does those",
    ),
  precision: runConfig.shape.smpcPrecision.removeDefault().default("default").describe("how finely wires are cut"),
  trade: runConfig.shape.smpcTrade,
  widths: z
    .enum(["trained", "observed"])
    .default("trained")
    .describe("of made-up layers: as trained models need, or as observed"),
  place: z.enum(["processes", "memory"]).default("processes").describe("parties in processes, or all in this one"),
  rounds: whole.default(3).describe("measured runs"),
  warmups: z.int().min(0).default(2).describe("runs before them, in which processes compile their hot code"),
  json: z.boolean().default(false).describe("print one JSON object (weir schema bench-smpc) and nothing else"),
});

/** `weir bench smpc`: what layers cost under SMPC, and how far their rows are from float64. */
export function addBenchSmpc(bench: Command): void {
  const command = bench
    .command("smpc")
    .description(
      "Run layers under SMPC between processes over WebSockets on loopback: bytes, rounds, seconds, memory, and the error against float64.",
    );
  addFlags(command, flags).action(async (given: Record<string, unknown>) => {
    const read = readFlags(flags, given);
    const run = layersOf(read);
    const { benchSmpc } = await import("../experiments/bench/smpc/bench.ts");
    const report = progress(read.json);
    const record = await benchSmpc({ ...read, run }, report.step).finally(report.clear);
    process.stdout.write(read.json ? `${JSON.stringify(record)}\n` : `${lines(record).join("\n")}\n`);
  });
}

function layersOf({ shape, layers, model, layer, text }: z.infer<typeof flags>): LayersToRun {
  if (model === undefined) {
    if (layer !== undefined || text !== undefined)
      throw new Error("--layer and --text: expected with --model, got them without one");
    return { kind: "synthetic", shape, layers };
  }
  if (layer === undefined || text === undefined)
    throw new Error("--model: expected --layer and --text with it, got it without them");
  return { kind: "model", path: model, layer };
}

const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;

function clientLine({ takenBytes, givenBytes, aheadBytes, clientMessages, clientCpuSeconds }: SmpcBenchRecord): string {
  const cpu = clientCpuSeconds === null ? "" : `; ${clientCpuSeconds.toFixed(3)} CPU s`;
  return (
    `client: ${mb(takenBytes)} to the parties and ${mb(givenBytes)} from them online in ${clientMessages} one-way messages, ` +
    `${mb(aheadBytes)} ahead of time${cpu}`
  );
}

function lines(record: SmpcBenchRecord): string[] {
  const { layers, dealerSeconds, partyCpuSeconds, residentBytes } = record;
  const dealing =
    record.dealtBytes === 0
      ? ""
      : `; dealing ${dealerSeconds.toFixed(3)} CPU s, ${(layers / dealerSeconds).toFixed(2)} layers a second`;
  const client = record.clientMessages > 0 ? [clientLine(record)] : [];
  return [
    `${record.shape}, ${layers} layer${layers === 1 ? "" : "s"}, ${record.n} rows, ${record.parties} parties in ${record.place}, ` +
      `${record.placement}, ${record.precision} precision, ${record.trade} trade, ${record.ranges} ranges`,
    `online ${mb(record.onlineBytes)} in ${record.rounds} rounds, dealt ${mb(record.dealtBytes)}, as declared; the same layers as Cascade: ${mb(record.cascadePayloadBytes)}`,
    ...client,
    `online phase ${record.seconds.toFixed(3)} s (CPU s by party: ${partyCpuSeconds.map((each) => each.toFixed(3)).join(", ")})${dealing}`,
    `error against float64: largest ${record.maxAbsError.toExponential(2)}, mean ${record.meanAbsError.toExponential(2)}, of values up to ${record.maxAbsOutput.toFixed(1)}; ${record.failedRows} failed rows`,
    `memory: parties ${residentBytes.map((bytes) => `${Math.round(bytes / 2 ** 20)} MiB`).join(", ")}`,
  ];
}
