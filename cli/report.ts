import { writeFile } from "node:fs/promises";
import path from "node:path";
import type { Command } from "commander";
import { committedRecords } from "../experiments/attacks/report/committed-records.ts";
import { readRecords } from "../experiments/attacks/report/read-records.ts";

/** `weir report`: tables and plots of the attack lab's records. */
export function addReport(program: Command): void {
  program
    .command("report")
    .description("Make one HTML page of tables and plots from records of `weir attack` and of the studies.")
    .argument("[records...]", "NDJSON files (default: those in experiments/attacks/records)")
    .requiredOption("--out <file>", "HTML file to write")
    .action(async (given: string[], { out }: { readonly out: string }) => {
      const files = given.length > 0 ? given.map((file) => path.resolve(file)) : await committedRecords();
      const records = await readRecords(files);
      // Plots take a second to load: only this command needs them.
      const { reportPage } = await import("../experiments/attacks/report/report-page.ts");
      await writeFile(path.resolve(out), reportPage(records));
      process.stdout.write(
        `${out}: ${records.cells.length} cells and ${records.studies.length} rows of studies from ${files.length} files\n`,
      );
    });
}
