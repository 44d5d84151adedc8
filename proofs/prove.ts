/**
 * What `weir prove` runs, as a process of its own, because nothing imports the proofs: one JSON line for the plans in use, then one a
 * lemma, to stdout.
 * Arguments: beginnings of the names of the lemmas to run; none: all. Exits with 1 where one isn't as it must be.
 */
import process from "node:process";
import { allLemmas, lemmaHeads } from "./lemmas/all-lemmas.ts";
import { runLemma, type LemmaRecord } from "./run-lemma.ts";
import { runSecrecy, secrecyLemmas } from "./secrecy/secrecy-lemmas.ts";
import { Solver } from "./solver/solver.ts";
import { EVERY_BITS } from "./sweep.ts";
import { plansInUse, widthsOf, type PlansInUse } from "./widths.ts";

try {
  const chosen = process.argv.slice(2);
  const secrecy = secrecyLemmas(false);
  const lemmaNames = lemmaHeads().map(({ name }) => name);
  const names = [...lemmaNames, ...secrecy.map(({ name }) => name)];
  const unknown = chosen.find((beginning) => !names.some((name) => name.startsWith(beginning)));
  if (unknown !== undefined)
    throw new Error(`lemma: expected the beginning of one of ${names.join(", ")}, got ${unknown}`);
  const isChosen = (name: string): boolean =>
    chosen.length === 0 || chosen.some((beginning) => name.startsWith(beginning));
  // Secrecy depends on no plan.
  const { plans, leftOut }: PlansInUse = lemmaNames.some(isChosen)
    ? await plansInUse()
    : { plans: new Map(), leftOut: [] };
  process.stdout.write(`${JSON.stringify({ plans: [...plans.keys()], plansLeftOut: leftOut })}\n`);
  const print = (record: LemmaRecord): void => {
    process.stdout.write(`${JSON.stringify(record)}\n`);
    if (!record.ok) process.exitCode = 1;
  };
  const solver = new Solver();
  for (const lemma of allLemmas(EVERY_BITS, widthsOf(plans.values())).filter(({ name }) => isChosen(name)))
    print(await runLemma(lemma, solver));
  await solver.close();
  for (const lemma of secrecy.filter(({ name }) => isChosen(name))) print(await runSecrecy(lemma));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
