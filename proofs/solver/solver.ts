import { spawn, type ChildProcessByStdio } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
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

interface Running {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly lines: AsyncIterator<string>;
  readonly ended: Promise<void>;
  errors: string;
}

/** A solver process, started when it is first asked and kept, since its start takes longer than most answers. */
export class Solver {
  #running: Running | null = null;

  /**
   * The answers to `queries`, in order. Throws Error if the process ends before it has answered, or calls something a counterexample that
   * is none; then the next call starts another.
   */
  async ask(queries: readonly Query[]): Promise<Answer[]> {
    const running = (this.#running ??= start());
    running.child.stdin.write(queries.map((query) => `${JSON.stringify(queryText(query))}\n`).join(""));
    const answers: Answer[] = [];
    try {
      for (const query of queries) {
        const { value: line, done } = await running.lines.next();
        if (done === true) {
          await running.ended;
          throw new Error(running.errors.trim() || `solver: expected ${queries.length} answers, got ${answers.length}`);
        }
        const answer = JSON.parse(line) as Answer;
        if (answer.answer === "sat" && !isCounterexample(query, answer.model ?? ""))
          throw new Error(`${answer.name}: expected a counterexample, got ${answer.model}, which is none`);
        answers.push(answer);
      }
    } catch (error) {
      // What it has yet to say belongs to no later question.
      running.child.kill();
      this.#running = null;
      throw error;
    }
    return answers;
  }

  /** Ends the process. */
  async close(): Promise<void> {
    this.#running?.child.stdin.end();
    await this.#running?.ended;
    this.#running = null;
  }
}

function start(): Running {
  const child = spawn(process.execPath, [PROCESS], { stdio: ["pipe", "pipe", "pipe"] });
  const running: Running = {
    child,
    lines: createInterface({ input: child.stdout })[Symbol.asyncIterator](),
    ended: new Promise<void>((resolve) => child.on("close", () => resolve())),
    errors: "",
  };
  child.on("error", (error) => (running.errors += error.message));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (running.errors += text));
  child.stdin.on("error", () => {}); // it ended early: said where it is asked
  return running;
}
