import type { ProofRecord } from "../cli/prove-record.ts";
import type { Lemma } from "./lemma.ts";
import type { Solver } from "./solver/solver.ts";

/** One line of `weir prove`. */
export type LemmaRecord = ProofRecord["lemmas"][number];

/** Asks the solver about a lemma and compares its model with the code. Errors of either are the lemma's failure, not thrown. */
export async function runLemma(lemma: Lemma, solver: Solver): Promise<LemmaRecord> {
  const { name, statement, expected, widths, queries } = lemma;
  const start = performance.now();
  const record = (verdict: LemmaRecord["verdict"], failure: string | null): LemmaRecord => ({
    name,
    statement,
    widths,
    expected,
    verdict,
    ok: verdict === expected,
    cases: queries.length,
    seconds: (performance.now() - start) / 1000,
    failure,
  });
  try {
    // The solver is another process; its answers are taken to the end even where the comparison fails.
    const [compared, asked] = await Promise.allSettled([lemma.conform?.(), solver.ask(queries)]);
    if (compared.status === "rejected") throw compared.reason;
    if (asked.status === "rejected") throw asked.reason;
    const answers = asked.value;
    const wanted = expected === "proved" ? "unsat" : "sat";
    const other = answers.find(({ answer }) => answer !== wanted);
    if (other === undefined) return record(expected, null);
    const verdict = other.answer === "unsat" ? "proved" : other.answer === "sat" ? "refuted" : "undecided";
    return record(verdict, `${other.name}: ${other.model ?? other.answer}`.replaceAll(/\s+/g, " "));
  } catch (error) {
    return record("undecided", error instanceof Error ? error.message : String(error));
  }
}
