import path from "node:path";
import type { Command } from "commander";
import { committedRecords } from "../experiments/attacks/report/committed-records.ts";
import { z } from "zod";
import { pathText } from "../protocols/fusion/config/path-text.ts";
import { addFlags, readFlags } from "./flags.ts";
import { writeOutput } from "./write-output.ts";

const flags = z.object({ out: pathText("file").describe("HTML file to write") });

/** `weir report`: tables and plots of the attack lab's records. */
export function addReport(program: Command): void {
  const command = program
    .command("report")
    .description("Make one HTML page of tables and plots from records of `weir attack` and of the studies.")
    .argument("[record-files...]", "NDJSON files (default: those in experiments/attacks/records)");
  addFlags(command, flags).action(async (names: string[], given: Record<string, unknown>) => {
    const { out } = readFlags(flags, given);
    const [{ readRecords }, { reportPage }] = await Promise.all([
      import("../experiments/attacks/report/read-records.ts"),
      import("../experiments/attacks/report/report-page.ts"),
    ]);
    const files = names.length > 0 ? names.map((file) => path.resolve(file)) : await committedRecords();
    const records = await readRecords(files);
    await writeOutput("--out", path.resolve(out), reportPage(records));
    process.stdout.write(
      `${out}: ${records.cells.length} cells and ${records.studies.length} rows of studies from ${files.length} files\n`,
    );
  });
}
