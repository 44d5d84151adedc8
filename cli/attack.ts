import path from "node:path";
import type { Command } from "commander";
import { z } from "zod";
import { pathText } from "../protocols/fusion/config/path-text.ts";
import { addFlags, readFlags } from "./flags.ts";
import { progress } from "./progress.ts";
import { columnsOf } from "./terminal.ts";

const flags = z.object({
  model: pathText("path")
    .optional()
    .describe("instead of the config's model: folder with config.json, or a .gguf file"),
  out: pathText("file")
    .optional()
    .describe("NDJSON file: records are added to it, and cells that it holds aren't run again"),
  json: z.boolean().default(false).describe("print the records as JSON, a line a cell, and nothing else"),
});

/** `weir attack`: how much of a prompt does a party, or several together, recover from what it really saw? */
export function addAttack(program: Command): void {
  const command = program
    .command("attack")
    .description(
      "Run an experiment of the attack lab: real sessions, recorded views, an attack on them beside its controls; exit 1 where a control fails.",
    )
    .argument("<config-file>", "JSON file of the experiment (experiments/attacks/configs has some)");
  addFlags(command, flags).action(async (file: string, given: Record<string, unknown>) => {
    const { model, out, json } = readFlags(flags, given);
    const [{ readAttackConfig }, { runExperiment }, { attackTable }] = await Promise.all([
      import("../experiments/attacks/run/attack-config.ts"),
      import("../experiments/attacks/run/run-experiment.ts"),
      import("./attack-table.ts"),
    ]);
    const read = await readAttackConfig(path.resolve(file));
    const config = model === undefined ? read : { ...read, model: path.resolve(model) };
    const report = progress(json);
    const records = await runExperiment(config, {
      folder: path.dirname(path.resolve(file)),
      out: out === undefined ? null : path.resolve(out),
      report: report.step,
    }).finally(report.clear);
    if (json) for (const record of records) process.stdout.write(`${JSON.stringify(record)}\n`);
    else
      process.stdout.write(
        `${config.question}\n\n${attackTable(records, config.verdict.metric, columnsOf(process.stdout))}\n`,
      );
    for (const record of records)
      if (record.void !== null)
        process.stderr.write(`VOID: ${JSON.stringify(record.cell)}: ${record.void}; its figures say nothing\n`);
    if (records.some((record) => record.void !== null)) process.exitCode = 1;
  });
}
