/** A report of record files as text: a page, or its verdicts alone. */
import { attackStrengths } from "../attacks/registry.ts";
import { attackFacts } from "./attack-facts.ts";
import { readRecords } from "./read-records.ts";
import { recordQuestions } from "./record-questions.ts";
import { reportPage } from "./report-page.ts";
import { verdictsCsv, verdictsMarkdown } from "./verdict-rows.ts";
import { worstVerdicts } from "./worst-verdicts.ts";

/** The page; or the worst verdict on each setting, as Markdown or CSV. */
export type ReportFormat = ".html" | ".md" | ".csv";

/** The text, and a line that says what it is of. Throws Error naming the file and line of what is no record. */
export async function reportOfFiles(
  files: readonly string[],
  format: ReportFormat,
): Promise<{ readonly text: string; readonly contents: string }> {
  const records = await readRecords(files);
  const verdicts = worstVerdicts(await attackFacts(records), attackStrengths());
  const settings = new Set(verdicts.map(({ setting }) => JSON.stringify(setting))).size;
  const contents = `${records.cells.length} cells and ${records.studies.length} rows of studies from ${files.length} files, verdicts on ${settings} settings`;
  if (format === ".md") return { text: verdictsMarkdown(verdicts), contents };
  if (format === ".csv") return { text: verdictsCsv(verdicts), contents };
  return { text: reportPage({ records, verdicts, questions: await recordQuestions() }), contents };
}
