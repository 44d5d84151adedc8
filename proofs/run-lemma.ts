import type { ProofRecord } from "../cli/prove-record.ts";
import type { Lemma } from "./lemma.ts";
import { askSolver } from "./solver/ask-solver.ts";

/** One line of `weir prove`. */
export type LemmaRecord = ProofRecord["lemmas"][number];

/** Asks the solver about a lemma and compares its model with the code. Errors of either are the lemma's failure, not thrown. */
export async function runLemma(lemma: Lemma): Promise<LemmaRecord> {
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
    await lemma.conform?.();
    const answers = await askSolver(queries);
    const wanted = expected === "proved" ? "unsat" : "sat";
    const other = answers.find(({ answer }) => answer !== wanted);
    if (other === undefined) return record(expected, null);
    const verdict = other.answer === "unsat" ? "proved" : other.answer === "sat" ? "refuted" : "undecided";
    return record(verdict, `${other.name}: ${other.model ?? other.answer}`.replaceAll(/\s+/g, " "));
  } catch (error) {
    return record("undecided", error instanceof Error ? error.message : String(error));
  }
}
