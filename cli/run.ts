import { InvalidArgumentError, type Command } from "commander";
import { openRun } from "../protocols/fusion/client/run-prompt.ts";
import { addConfigFlags, readConfig } from "./config-flags.ts";
import { progress } from "./progress.ts";
import { runTable } from "./run-table.ts";

/** `weir run`: a prompt through the parties, text out. */
export function addRun(program: Command): void {
  const command = program
    .command("run")
    .description(
      "Generate text while no node holds more than its own shard of the tokens; then say what it cost and who saw what.",
    )
    .requiredOption("--prompt <text>", "the prompt", nonEmpty)
    .option("--chat", "put the prompt through the model's chat template")
    .option("--json", "print one JSON object (weir schema run) and nothing else");
  addConfigFlags(command).action(async (flags: Record<string, unknown>) => {
    const startedAt = performance.now();
    const config = await readConfig(flags);
    const json = flags.json === true;
    const report = progress(json);
    const prompt = { text: String(flags.prompt), chat: flags.chat === true };
    const run = await openRun(config, prompt, report.step);
    try {
      const record = await run.generate({
        startedAt,
        onText: (text) => {
          report.clear();
          if (!json) process.stdout.write(text);
        },
      });
      process.stdout.write(json ? `${JSON.stringify(record)}\n` : `\n\n${runTable(record)}`);
    } finally {
      await run.close();
    }
  });
}

function nonEmpty(text: string): string {
  if (text === "") throw new InvalidArgumentError("expected some text, got none");
  return text;
}
