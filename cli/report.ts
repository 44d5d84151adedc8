import path from "node:path";
import type { Command } from "commander";
import { committedRecords } from "../experiments/attacks/report/committed-records.ts";
import { z } from "zod";
import { pathText } from "../protocols/fusion/config/path-text.ts";
import { addFlags, readFlags } from "./flags.ts";
import { writeOutput } from "./write-output.ts";

const flags = z.object({ out: pathText("file").describe("HTML file to write") });

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
    const [{ readRecords }, { reportPage }, { attackFacts }, { worstVerdicts }, { attackStrengths }] =
      await Promise.all([
        import("../experiments/attacks/report/read-records.ts"),
        import("../experiments/attacks/report/report-page.ts"),
        import("../experiments/attacks/report/attack-facts.ts"),
        import("../experiments/attacks/report/worst-verdicts.ts"),
        import("../experiments/attacks/registry.ts"),
      ]);
    const files = names.length > 0 ? names.map((file) => path.resolve(file)) : await committedRecords();
    const records = await readRecords(files);
    const verdicts = worstVerdicts(await attackFacts(records), attackStrengths());
    await writeOutput("--out", path.resolve(out), reportPage(records, verdicts));
    process.stdout.write(
      `${out}: ${records.cells.length} cells and ${records.studies.length} rows of studies from ${files.length} files, verdicts on ${new Set(verdicts.map(({ setting }) => JSON.stringify(setting))).size} settings\n`,
    );
  });
}
