import { Worker } from "node:worker_threads";
import type { LinearProgram } from "./linear-program.ts";

/** What became of a program. */
export interface Solved {
  /**
   * HiGHS's model status (`optimal`, `infeasible`, `timeLimit`, ...); `killed` where its own time limit didn't end it in time; `failed`
   * where it threw (out of memory), with `reason`.
   */
  readonly status: string;
  readonly reason: string | null;
  readonly seconds: number;
  /** Of the best feasible point; null: none. */
  readonly objective: number | null;
  /** Lower bound that branch and bound proved; null for an LP, or where nothing was solved. */
  readonly bound: number | null;
  /** Branch-and-bound nodes; null for an LP. */
  readonly nodes: number | null;
  readonly iterations: number;
  readonly memoryBytes: number;
  /** [columns]; null: no feasible point */
  readonly values: Float64Array | null;
}

/** What HiGHS is told; its own option names. */
export type SolverOptions = Readonly<Record<string, string | number | boolean>>;

/** HiGHS looks at its clock between iterations; a large factorisation or presolve takes a while. */
const GRACE_S = 15;

/**
 * Solves a program with HiGHS in a thread that ends with it, in `timeLimitS` seconds or little more; never throws for what the solver
 * does. The program's arrays are copied.
 */
export async function solveProgram(
  program: LinearProgram,
  { timeLimitS, options = {} }: { readonly timeLimitS: number; readonly options?: SolverOptions },
): Promise<Solved> {
  const startedAt = performance.now();
  const worker = new Worker(new URL("./solve-worker.mjs", import.meta.url), {
    workerData: { program, timeLimitS, options },
    execArgv: [], // plain JavaScript: it needs no loader
  });
  const ended = (status: string, reason: string | null): Solved => ({
    status,
    reason,
    seconds: (performance.now() - startedAt) / 1000,
    objective: null,
    bound: null,
    nodes: null,
    iterations: 0,
    memoryBytes: 0,
    values: null,
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Solved>((resolve) => {
      timer = setTimeout(() => resolve(ended("killed", null)), (timeLimitS + GRACE_S) * 1000);
      worker.on("message", (message: Omit<Solved, "reason">) => resolve({ ...message, reason: null }));
      worker.on("error", (error) => resolve(ended("failed", error.message)));
      worker.on("exit", (code) => resolve(ended("failed", `exit ${code} without an answer`)));
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
