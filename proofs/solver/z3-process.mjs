/**
 * A process that answers one lemma's queries: SMT-LIB texts as JSON lines on stdin, one JSON line an answer on stdout. It is a process
 * of its own because the solver keeps its threads; it ends itself when it has answered all.
 */
import process from "node:process";
import { createInterface } from "node:readline";

/** Longest time that one query may take, ms. */
const QUERY_MS = 120_000;

let init;
let Z3_error_code;
try {
  ({ init, Z3_error_code } = await import("z3-solver"));
} catch {
  process.stderr.write(
    "prove: expected the package z3-solver, which npm ci installs unless told to omit dev, got none\n",
  );
  process.exit(2);
}
const { Z3 } = await init();
const ANSWERS = { "-1": "unsat", 0: "unknown", 1: "sat" };

/** Simplify, solve equations, sums of monomials (which decide the polynomial identities), then bits. Strings go to calls that return at once. */
function solverOf(context) {
  const monomials = Z3.mk_params(context);
  Z3.params_inc_ref(context, monomials);
  Z3.params_set_bool(context, monomials, Z3.mk_string_symbol(context, "som"), true);
  const held = (tactic) => {
    Z3.tactic_inc_ref(context, tactic);
    return tactic;
  };
  const [simplify, solveEquations, bits] = ["simplify", "solve-eqs", "smt"].map((name) =>
    held(Z3.mk_tactic(context, name)),
  );
  const sums = held(Z3.tactic_using_params(context, simplify, monomials));
  const all = [simplify, solveEquations, sums, bits].reduce((before, step) =>
    held(Z3.tactic_and_then(context, before, step)),
  );
  const solver = Z3.mk_solver_from_tactic(context, held(Z3.tactic_try_for(context, all, QUERY_MS)));
  Z3.solver_inc_ref(context, solver);
  return solver;
}

/** The answer, and a solution where there is one. */
async function check(context, text) {
  const solver = solverOf(context);
  Z3.solver_from_string(context, solver, text);
  // A text that it can't read leaves an empty solver, of which anything would be a counterexample.
  const error = Z3.get_error_code(context);
  if (error !== Z3_error_code.Z3_OK) throw new Error(Z3.get_error_msg(context, error));
  const answer = ANSWERS[await Z3.solver_check(context, solver)];
  if (answer === "sat")
    return { answer, model: Z3.model_to_string(context, Z3.solver_get_model(context, solver)).trim() };
  const reason = answer === "unknown" ? `: ${Z3.solver_get_reason_unknown(context, solver)}` : "";
  return { answer: `${answer}${reason}`, model: null };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { name, premises, counterexample } = JSON.parse(line);
  const context = Z3.mk_context(Z3.mk_config());
  const start = performance.now();
  let found;
  try {
    const isVacuous = premises !== null && (await check(context, premises)).answer === "unsat";
    found = isVacuous ? { answer: "vacuous", model: null } : await check(context, counterexample);
  } catch (error) {
    found = { answer: `error: ${error instanceof Error ? error.message : String(error)}`, model: null };
  }
  Z3.del_context(context);
  const seconds = (performance.now() - start) / 1000;
  await new Promise((resolve) => process.stdout.write(`${JSON.stringify({ name, ...found, seconds })}\n`, resolve));
}
process.exit(0);
