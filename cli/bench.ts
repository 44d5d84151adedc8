import type { Command } from "commander";
import { z } from "zod";
import type { BenchRecord } from "../experiments/bench/bench-record.ts";
import { pathText } from "../protocols/fusion/config/path-text.ts";
import { addBenchSmpc } from "./bench-smpc.ts";
import { addFlags, readFlags } from "./flags.ts";
import { progress } from "./progress.ts";

const PARTS = ["prefill", "decode", "memory", "bytes"] as const;

const whole = z.int().min(1);

const flags = z.object({
  model: pathText("path")
    .optional()
    .describe("folder with config.json, or a .gguf file (default: the model in models/default)"),
  n: whole.default(128).describe("tokens of the prompt"),
  rounds: whole.default(5).describe("measured rounds"),
  warmups: whole.default(10).describe("rounds before them: the first ones compile the hot code of every process"),
  decodeTokens: whole.default(32).describe("tokens of a decoding round"),
  only: z.array(z.enum(PARTS)).optional().describe("some of the parts (default: all)"),
  json: z.boolean().default(false).describe("print one JSON object (weir schema bench) and nothing else"),
});

/** `weir bench`: what sharding costs beside the same model unsharded. */
export function addBench(program: Command): void {
  const command = program.command("bench").enablePositionalOptions();
  addBenchSmpc(command);
  command.description(
    "Measure the sharded model beside one unsharded ONNX Runtime session, interleaved in one run: CPU, tokens a second, memory, bytes.",
  );
  addFlags(command, flags).action(async (given: Record<string, unknown>) => {
    const { n: tokens, only, json, model, ...rest } = readFlags(flags, given);
    const { bench } = await import("../experiments/bench/bench.ts");
    const report = progress(json);
    const parts = PARTS.filter((part) => only === undefined || only.includes(part));
    const record = await bench({ ...rest, tokens, model, parts }, report.step).finally(report.clear);
    process.stdout.write(json ? `${JSON.stringify(record)}\n` : `${lines(record).join("\n")}\n`);
  });
}

function lines({ model, tokens, machine, prefill, decode, memory, bytes }: BenchRecord): string[] {
  const text = [
    `${model.name}, ${tokens} tokens, on ${machine.cores} x ${machine.cpu}, load ${machine.loadAverage.toFixed(1)}`,
  ];
  if (prefill)
    text.push(
      `prefill, CPU s of all processes: unsharded ${prefill.unsharded.median.toFixed(3)}; alpha = beta = 1 ${prefill.alpha1.median.toFixed(3)} (${prefill.alpha1Ratio.toFixed(2)} x); ` +
        `alpha = beta = 8 ${prefill.alpha8.median.toFixed(3)} (${prefill.alpha8Ratio.toFixed(2)} x), ${prefill.alpha8Seconds.toFixed(2)} s of wall time`,
    );
  if (decode)
    text.push(
      `decoding, tokens a second: unsharded ${decode.unsharded.median.toFixed(1)}; alpha = ${decode.alpha}, beta = ${decode.beta} ${decode.sharded.median.toFixed(1)} (${decode.ratio.toFixed(2)} x)`,
    );
  if (memory) {
    const mib = (value: number): string => `${Math.round(value / 2 ** 20)} MiB`;
    const [comp] = memory.compNodes;
    const [attn] = memory.attnNodes;
    text.push(
      `memory: a CompNode ${mib(comp.residentBytes)} resident (${mib(comp.sharedBytes)} shared, ${mib(comp.privateBytes)} private); ` +
        `an AttnNode ${mib(attn.residentBytes)} (${mib(attn.sharedBytes)} shared, ${mib(attn.privateBytes)} private); all processes ${mib(memory.totalProportionalBytes)}`,
    );
  }
  for (const cell of bytes ?? [])
    text.push(
      `alpha = ${cell.alpha}, m = ${cell.m}: payload ${cell.payloadBytes} bytes (formula ${cell.expectedPayloadBytes}), framing ${(100 * cell.framingShare).toFixed(2)} %, ${cell.rounds} rounds (formula ${cell.expectedRounds})`,
    );
  return text;
}
