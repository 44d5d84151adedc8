/**
 * Prints what the leak model says of every committed record of the default model beside what was recovered, and which records differ:
 *
 *     node --import tsx experiments/plan/leak/compare-records.ts
 */
import { openModel } from "../../../layers/model.ts";
import { DEFAULT_MODEL } from "../../../protocols/fusion/deployment/open-deployment.ts";
import { committedRecords } from "../../report/committed-records.ts";
import { readRecords } from "../../report/read-records.ts";
import { comparedWith, type Compared } from "./against-records.ts";
import { agrees, comparisonTable } from "./comparison-page.ts";

/** Comparisons that are timed. */
const RUNS = 20;

const model = await openModel(DEFAULT_MODEL);
const { cells } = await readRecords(await committedRecords());
const comparing = (): Compared[] => cells.flatMap((record) => comparedWith(record, model) ?? []);
const compared = comparing();
const cpuAtStart = process.cpuUsage();
for (let run = 0; run < RUNS; run++) comparing();
const { user } = process.cpuUsage(cpuAtStart);
process.stdout.write(`${comparisonTable(compared)}\n\n`);
for (const one of compared) {
  const { positions, passes } = agrees(one);
  if (positions && passes) continue;
  const { experiment, cell } = one.record;
  process.stdout.write(
    `${experiment} ${JSON.stringify(cell.setting)} layer ${cell.layer} ${cell.coalition.join(" ")}: ${one.predicted} positions by the rules, ${one.recovered.toFixed(1)} recovered; passes ${one.passes?.predicted.toFixed(0) ?? "none"} predicted, ${one.passes?.counted.toFixed(0) ?? "none"} counted\n`,
  );
}
process.stdout.write(
  `${(user / RUNS / compared.length).toFixed(0)} microseconds of CPU time a coalition, its schedule included\n`,
);
await model.close();
