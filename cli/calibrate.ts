import type { Command } from "commander";
import { z } from "zod";
import { pathText } from "../protocols/fusion/config/path-text.ts";
import type { ModelRanges } from "../protocols/smpc/lowering/ranges.ts";
import { addFlags, readFlags } from "./flags.ts";
import { progress } from "./progress.ts";
import { writeOutput } from "./write-output.ts";

const flags = z.object({
  model: pathText("path")
    .optional()
    .describe("folder with config.json, or a .gguf file (default: the model in models/default)"),
  text: pathText("file")
    .optional()
    .describe("public text: passages divided by empty lines (default: those that come with weir)"),
  layers: z
    .string()
    .regex(/^(all|\d+(,\d+)*)$/, 'consecutive layers such as "0,1", or "all"')
    .refine((text) => text === "all" || isConsecutive(layersIn(text)), 'consecutive layers such as "0,1", or "all"')
    .meta({ title: "layers" })
    .default("all")
    .describe('consecutive layers, "0,1", or "all" with the head'),
  out: pathText("file")
    .optional()
    .describe("write the ranges there; smpc-ranges.json beside the model is where weir looks"),
  json: z.boolean().default(false).describe("print the ranges as JSON and nothing else"),
});

/** `weir calibrate`: the ranges that SMPC relies on. */
export function addCalibrate(program: Command): void {
  const command = program
    .command("calibrate")
    .description(
      "Observe on public text how large the values of a model get, certify from its weights what can be, and print the ranges that SMPC relies on.",
    );
  addFlags(command, flags).action(async (given: Record<string, unknown>) => {
    const { model: named, text, layers, out, json } = readFlags(flags, given);
    const [{ openModel }, { DEFAULT_MODEL }, { makeRanges, rangesJson }] = await Promise.all([
      import("../layers/model.ts"),
      import("../protocols/fusion/deployment/open-deployment.ts"),
      import("../protocols/smpc/calibration/load-ranges.ts"),
    ]);
    const report = progress(json);
    const model = await openModel(named ?? DEFAULT_MODEL);
    try {
      const chosen = layers === "all" ? null : layersIn(layers);
      const [from, to] = chosen === null ? [0, model.spec.layers] : [chosen[0], chosen[0] + chosen.length];
      const ranges = await makeRanges(model, text ?? null, { from, to, head: chosen === null }, report.step);
      report.clear();
      if (out !== undefined) await writeOutput("--out", out, rangesJson(ranges));
      process.stdout.write(json ? rangesJson(ranges) : rangesTable(ranges));
    } finally {
      report.clear();
      await model.close();
    }
  });
}

const layersIn = (text: string): number[] => text.split(",").map(Number);
const isConsecutive = (layers: readonly number[]): boolean => layers.every((layer, i) => layer === layers[0] + i);

function rangesTable({ source, sites }: ModelRanges): string {
  const width = Math.max(...Object.keys(sites).map(({ length }) => length));
  const lines = Object.entries(sites).map(([site, { range, columns: _columns, widened: _widened, ...ends }]) => {
    const numbers = Object.entries(ends).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`);
    return `${site.padEnd(width)}  ${range.padEnd(10)}  ${numbers.join("  ")}`;
  });
  return `${source}\n${lines.join("\n")}\n`;
}
