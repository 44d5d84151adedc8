import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { isCounterexample, queryText, type Query } from "../lemma.ts";

/** The solver's word on one query. */
export interface Answer {
  readonly name: string;
  /** "sat": there is a counterexample; "unsat": the query holds; "vacuous": its assumptions have no solution; anything else is no answer. */
  readonly answer: string;
  /** The counterexample, as the solver prints it. */
  readonly model: string | null;
  readonly seconds: number;
}

const PROCESS = fileURLToPath(new URL("z3-process.mjs", import.meta.url));

/**
 * Asks a solver process of their own for the answers to `queries`, in order. Throws Error if the process ends before it has answered,
 * or calls something a counterexample that is none.
 */
export async function askSolver(queries: readonly Query[]): Promise<Answer[]> {
  const child = spawn(process.execPath, [PROCESS], { stdio: ["pipe", "pipe", "pipe"] });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const ended = new Promise<void>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => resolve());
  });
  child.stdin.on("error", () => {}); // it ended early: said below
  child.stdin.end(queries.map((query) => `${JSON.stringify(queryText(query))}\n`).join(""));
  const answers: Answer[] = [];
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const answer = JSON.parse(line) as Answer;
      if (answer.answer === "sat" && !isCounterexample(queries[answers.length], answer.model ?? ""))
        throw new Error(`${answer.name}: expected a counterexample, got ${answer.model}, which is none`);
      answers.push(answer);
    }
    await ended;
  } finally {
    child.kill();
  }
  if (answers.length !== queries.length)
    throw new Error(errors.trim() || `solver: expected ${queries.length} answers, got ${answers.length}`);
  return answers;
}
