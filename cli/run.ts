import type { Command } from "commander";
import { z } from "zod";
import { warn } from "../layers/warning.ts";
import { pathText } from "../protocols/fusion/config/path-text.ts";
import { withDefaultPreset } from "../protocols/fusion/config/presets.ts";
import { addConfigFlags, readConfig } from "./config-flags.ts";
import { addFlags, readFlags } from "./flags.ts";
import { progress } from "./progress.ts";
import { readPrompt } from "./prompt.ts";
import { coloursFor, layoutFor, withoutControls } from "./terminal.ts";

const flags = z.object({
  prompt: z.string().optional().describe("the prompt; - reads it from standard input"),
  promptFile: pathText("file").optional().describe("file that holds the prompt; - reads standard input"),
  chat: z.boolean().default(false).describe("put the prompt through the model's chat template"),
  json: z.boolean().default(false).describe("print one JSON object (weir schema run) and nothing else"),
  showConfig: z
    .boolean()
    .default(false)
    .describe("print the run config that preset, flags and files give together, for --config, and run nothing"),
});

/** Of a long prompt, the end is enough to read on from. */
const MOST_ECHOED = 600;

/** `weir run`: a prompt through the parties, text out. */
export function addRun(program: Command): void {
  const command = program
    .command("run")
    .description(
      // definition: what the command says
      "Generate text with a model that other parties compute; then say what it cost, who saw what, and what each of them can conclude.",
    )
    .argument("[prompt]", "the prompt; - reads it from standard input");
  addConfigFlags(addFlags(command, flags)).action(
    async (argument: string | undefined, given: Record<string, unknown>) => {
      const startedAt = performance.now();
      const { config, named } = await readConfig(given);
      const { json, chat, prompt, promptFile, showConfig } = readFlags(flags, given);
      if (showConfig) {
        process.stdout.write(`${JSON.stringify(withDefaultPreset(config), null, 2)}\n`);
        return;
      }
      const text = await readPrompt({ argument, prompt, promptFile });
      const [{ openRun }, { failureText }, { runTable }] = await Promise.all([
        import("../protocols/fusion/client/run-prompt.ts"),
        import("../protocols/fusion/record/smpc-record.ts"),
        import("./run-table.ts"),
      ]);
      const report = progress(json);
      const output = json ? null : generatedText(text, chat);
      try {
        const run = await openRun(config, { text, chat }, report.step);
        try {
          const record = await run.generate({
            startedAt,
            onText: (piece) => {
              report.clear();
              output?.write(piece);
            },
          });
          output?.end();
          const failed = record.smpc?.failedRows ?? [];
          if (failed.length > 0) warn(failureText(failed));
          process.stdout.write(
            json ? `${JSON.stringify(record)}\n` : `\n${runTable(record, layoutFor(process.stdout))}`,
          );
        } finally {
          await run.close();
        }
      } catch (error) {
        report.clear();
        output?.end(); // an error has a line of its own
        throw named(error);
      }
    },
  );
}

/** The text as it comes; on a terminal the prompt stands before it, in grey. */
function generatedText(prompt: string, chat: boolean): { write(piece: string): void; end(): void } {
  const { gray } = coloursFor(process.stdout);
  const shown = prompt.length > MOST_ECHOED ? `... ${prompt.slice(-MOST_ECHOED)}` : prompt;
  let isOpen = false;
  return {
    write(piece) {
      if (!isOpen && process.stdout.isTTY) process.stdout.write(`${gray(shown)}${chat ? "\n" : ""}`);
      isOpen = true;
      process.stdout.write(process.stdout.isTTY ? withoutControls(piece) : piece);
    },
    end() {
      if (isOpen) process.stdout.write("\n");
      isOpen = false;
    },
  };
}
