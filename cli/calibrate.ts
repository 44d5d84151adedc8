import { writeFile } from "node:fs/promises";
import { InvalidArgumentError, type Command } from "commander";
import { openModel } from "../layers/model.ts";
import { DEFAULT_MODEL } from "../protocols/fusion/deployment/open-deployment.ts";
import { makeRanges, rangesJson } from "../protocols/smpc/calibration/load-ranges.ts";
import type { ModelRanges } from "../protocols/smpc/lowering/ranges.ts";
import { progress } from "./progress.ts";

interface CalibrateFlags {
  readonly model: string;
  readonly text?: string;
  readonly layers: "all" | readonly [from: number, to: number];
  readonly out?: string;
  readonly json?: boolean;
}

/** `weir calibrate`: the ranges that SMPC relies on. */
export function addCalibrate(program: Command): void {
  program
    .command("calibrate")
    .description(
      "Observe on public text how large the values of a model get, certify from its weights what can be, and print the ranges that SMPC relies on.",
    )
    .option("--model <path>", "folder with config.json, or a .gguf file", DEFAULT_MODEL)
    .option("--text <file>", "public text: passages divided by empty lines (default: those that come with weir)")
    .option("--layers <list>", 'consecutive layers, "0,1", or "all" with the head', layerList, "all")
    .option("--out <file>", "write the ranges there; smpc-ranges.json beside the model is where weir looks")
    .option("--json", "print the ranges as JSON and nothing else")
    .action(async (flags: CalibrateFlags) => {
      const report = progress(flags.json === true);
      const model = await openModel(flags.model);
      try {
        const [from, to] = flags.layers === "all" ? [0, model.spec.layers] : flags.layers;
        const span = { from, to, head: flags.layers === "all" };
        const ranges = await makeRanges(model, flags.text ?? null, span, report.step);
        report.clear();
        if (flags.out !== undefined) await writeFile(flags.out, rangesJson(ranges));
        process.stdout.write(flags.json === true ? rangesJson(ranges) : rangesTable(ranges));
      } finally {
        await model.close();
      }
    });
}

/** Layers from ... to - 1 of "3,4,5", or "all". Throws InvalidArgumentError. */
function layerList(text: string): CalibrateFlags["layers"] {
  if (text === "all") return text;
  const layers = text.split(",").map((part) => (/^\d+$/.test(part) ? Number(part) : NaN));
  if (layers.some((layer, i) => !Number.isInteger(layer) || layer !== layers[0] + i))
    throw new InvalidArgumentError('expected consecutive layers such as "0,1", or "all"');
  return [layers[0], layers[0] + layers.length];
}

function rangesTable({ source, sites }: ModelRanges): string {
  const width = Math.max(...Object.keys(sites).map(({ length }) => length));
  const lines = Object.entries(sites).map(([site, { range, columns: _columns, widened: _widened, ...ends }]) => {
    const numbers = Object.entries(ends).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`);
    return `${site.padEnd(width)}  ${range.padEnd(10)}  ${numbers.join("  ")}`;
  });
  return `${source}\n${lines.join("\n")}\n`;
}
