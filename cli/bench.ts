import type { Command } from "commander";
import { bench, type BenchPart } from "../experiments/bench/bench.ts";
import type { BenchRecord } from "../experiments/bench/bench-record.ts";
import { addBenchSmpc } from "./bench-smpc.ts";
import { positiveInteger } from "./positive-integer.ts";
import { progress } from "./progress.ts";

const PARTS: readonly BenchPart[] = ["prefill", "decode", "memory", "bytes"];

interface BenchFlags {
  readonly model?: string;
  readonly n: number;
  readonly rounds: number;
  readonly warmups: number;
  readonly decodeTokens: number;
  readonly only?: string;
  readonly json?: boolean;
}

/** `weir bench`: what sharding costs beside the same model unsharded. */
export function addBench(program: Command): void {
  const command = program.command("bench").enablePositionalOptions();
  addBenchSmpc(command);
  command
    .description(
      "Measure the sharded model beside one unsharded ONNX Runtime session, interleaved in one run: CPU, tokens a second, memory, bytes.",
    )
    .option("--model <path>", "folder with config.json, or a .gguf file (default: the model in models/default)")
    .option("--n <n>", "tokens of the prompt", positiveInteger, 128)
    .option("--rounds <n>", "measured rounds", positiveInteger, 5)
    .option(
      "--warmups <n>",
      "rounds before them: the first ones compile the hot code of every process",
      positiveInteger,
      10,
    )
    .option("--decode-tokens <n>", "tokens of a decoding round", positiveInteger, 32)
    .option("--only <parts>", `some of ${PARTS.join(",")}`)
    .option("--json", "print one JSON object (weir schema bench) and nothing else")
    .action(async (flags: BenchFlags) => {
      const report = progress(flags.json === true);
      const record = await bench(
        { ...flags, tokens: flags.n, model: flags.model, parts: partsOf(flags.only) },
        report.step,
      );
      report.clear();
      process.stdout.write(flags.json === true ? `${JSON.stringify(record)}\n` : `${lines(record).join("\n")}\n`);
    });
}

function partsOf(only: string | undefined): readonly BenchPart[] {
  if (only === undefined) return PARTS;
  const names = only.split(",");
  const unknown = names.find((name) => !PARTS.some((part) => part === name));
  if (unknown !== undefined) throw new Error(`only: expected some of ${PARTS.join(", ")}, got ${unknown}`);
  return PARTS.filter((part) => names.includes(part));
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
