import path from "node:path";
import type { Command } from "commander";
import { committedRecords } from "../experiments/report/committed-records.ts";
import { z } from "zod";
import { pathText } from "../protocols/fusion/config/path-text.ts";
import { addFlags, readFlags } from "./flags.ts";
import { writeOutput } from "./write-output.ts";

const flags = z.object({
  out: pathText("file").describe("file to write: .html, or the verdicts alone as .md or .csv"),
});

/** `weir report`: what the attack lab's records come to for each setting, with their tables and plots. */
export function addReport(program: Command): void {
  const command = program
    .command("report")
    .description(
      "Make one HTML page from records of `weir attack` and of the studies: the worst verdict on each setting over all attacks, then tables and plots.",
    )
    .argument("[record-files...]", "NDJSON files (default: those in experiments/attacks/records)");
  addFlags(command, flags).action(async (names: string[], given: Record<string, unknown>) => {
    const { out } = readFlags(flags, given);
    const { reportOfFiles } = await import("../experiments/report/report-of-files.ts");
    const files = names.length > 0 ? names.map((file) => path.resolve(file)) : await committedRecords();
    const format = path.extname(out).toLowerCase();
    const { text, contents } = await reportOfFiles(files, format === ".md" || format === ".csv" ? format : ".html");
    await writeOutput("--out", path.resolve(out), text);
    process.stdout.write(`${out}: ${contents}\n`);
  });
}
