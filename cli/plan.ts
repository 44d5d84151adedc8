import type { Command } from "commander";
import { z } from "zod";
import { pathText } from "../protocols/fusion/config/path-text.ts";
import { TRADE_NAMES } from "../protocols/smpc/lowering/trade.ts";
import { runConfig } from "../protocols/fusion/config/run-config.ts";
import { addFlags, excludeFlags, readFlags } from "./flags.ts";
import { progress } from "./progress.ts";
import { layoutFor } from "./terminal.ts";
import { writeOutput } from "./write-output.ts";

const whole = z.int().min(1);
const positive = z.number().gt(0);
const inUnits = (title: string): typeof positive => positive.meta({ title });

const flags = z.object({
  model: pathText("path")
    .optional()
    .describe("folder with config.json, or a .gguf file (default: the model in models/default)"),
  shape: z
    .enum(["bert-base", "smollm2"])
    .optional()
    .describe("instead of a model: the shape of a real one, with random weights"),
  n: whole.describe("tokens of the prompt"),
  newTokens: whole.default(16).describe("tokens to generate; all of them are counted"),
  machines: whole.default(9).describe("machines, one for each role, the client apart"),
  simulate: z
    .boolean()
    .default(false)
    .describe("roles share machines: a simulation, with up to 16 CompNodes and 256 AttnNodes"),
  rttMs: inUnits("ms").default(1).describe("round trip of the network"),
  mbit: positive.default(1000).describe("megabits a second"),
  rate: positive.default(1e10).describe("multiply-adds of floats a second"),
  smpcRate: positive.default(4e8).describe("multiply-adds of words under SMPC a second"),
  maxSeconds: inUnits("s").optional().describe("most estimated seconds"),
  maxMb: inUnits("mb").optional().describe("most megabytes sent, dealt ones included"),
  minGap: whole.optional().describe("smallest gap that a CompNode or AttnNode may see"),
  maxCluster: whole.optional().describe("most positions in a row that a CompNode or AttnNode may see"),
  minParties: whole.optional().describe("fewest SMPC parties that must collude"),
  hideFrom: whole.optional().describe("so many nodes together may conclude no token; 1: any single one"),
  hideIds: z.boolean().default(false).describe("no node may get token ids"),
  smpcPrecision: runConfig.shape.smpcPrecision,
  smpcTrade: z
    .enum([...TRADE_NAMES, "any"])
    .default("standard")
    .describe("what layers under SMPC save; any: each trade is a variable of the plan"),
  merge: runConfig.shape.merge,
  point: whole.optional().describe("the point of the front that is chosen; without it that of least estimated seconds"),
  all: z.boolean().default(false).describe("print every point of a long front"),
  out: pathText("file").optional().describe("write the chosen point's config, for weir run --config"),
  json: z.boolean().default(false).describe("print one JSON object (weir schema plan) and nothing else"),
});

/** `weir plan`: what hiding more costs, ahead of any run. */
export function addPlan(program: Command): void {
  const command = program
    .command("plan")
    .description(
      "Plan a run: shardings and layers under SMPC, by the declared costs and the public schedule; the front of cost against exposure, and one point of it as a config.",
    );
  addFlags(command, flags).action(async (given: Record<string, unknown>) => {
    excludeFlags(given, "simulate", ["machines"]);
    excludeFlags(given, "shape", ["model", "out"]);
    const { n, rate, smpcRate, smpcPrecision, smpcTrade, simulate, machines, all, out, json, ...rest } = readFlags(
      flags,
      given,
    );
    const [{ plan }, { planTable }] = await Promise.all([
      import("../experiments/plan/plan.ts"),
      import("./plan-table.ts"),
    ]);
    const report = progress(json);
    const record = await plan(
      {
        ...rest,
        ...(simulate ? {} : { machines }),
        promptLength: n,
        precision: smpcPrecision,
        trade: smpcTrade,
        multiplyAddsPerSecond: rate,
        wordMultiplyAddsPerSecond: smpcRate,
      },
      report.step,
    ).finally(report.clear);
    if (out !== undefined) {
      const { config } = record.chosen;
      if (config === null)
        throw new Error(`--out: expected a decoder, got an encoder (${record.model.name}); weir run takes none`);
      await writeOutput("--out", out, `${JSON.stringify(config, null, 2)}\n`);
    }
    process.stdout.write(
      json ? `${JSON.stringify(record)}\n` : planTable(record, { all, out }, layoutFor(process.stdout)),
    );
  });
}
