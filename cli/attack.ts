import path from "node:path";
import type { Command } from "commander";
import { readAttackConfig } from "../experiments/attacks/run/attack-config.ts";
import { runExperiment } from "../experiments/attacks/run/run-experiment.ts";
import { attackTable } from "./attack-table.ts";
import { progress } from "./progress.ts";

interface AttackFlags {
  readonly model?: string;
  readonly out?: string;
  readonly json?: boolean;
}

/** `weir attack`: how much of a prompt does a party, or several together, recover from what it really saw? */
export function addAttack(program: Command): void {
  program
    .command("attack")
    .description(
      "Run an experiment of the attack lab: real sessions, recorded views, an attack on them beside its controls; exit 1 where a control fails.",
    )
    .argument("<config>", "JSON file of the experiment (experiments/attacks/configs has some)")
    .option("--model <path>", "instead of the config's model: folder with config.json, or a .gguf file")
    .option("--out <file>", "NDJSON file: records are added to it, and cells that it holds aren't run again")
    .option("--json", "print the records as JSON, a line a cell, and nothing else")
    .action(async (file: string, { model, out, json }: AttackFlags) => {
      const read = await readAttackConfig(path.resolve(file));
      const config = model === undefined ? read : { ...read, model: path.resolve(model) };
      const shown = progress(json === true);
      const records = await runExperiment(config, {
        folder: path.dirname(path.resolve(file)),
        out: out === undefined ? null : path.resolve(out),
        report: shown.step,
      });
      shown.clear();
      if (json === true) for (const record of records) process.stdout.write(`${JSON.stringify(record)}\n`);
      else process.stdout.write(`${config.question}\n\n${attackTable(records, config.verdict.metric)}\n`);
      for (const record of records)
        if (record.void !== null)
          process.stderr.write(`VOID: ${JSON.stringify(record.cell)}: ${record.void}; its figures say nothing\n`);
      if (records.some((record) => record.void !== null)) process.exitCode = 1;
    });
}
