import type { StageEngine } from "../../../layers/stage-engine.ts";
import type { DictionaryPage } from "../matching/layer-zero-dictionary.ts";
import type { LinearProgram } from "./linear-program.ts";
import { solveProgram, type Solved } from "./solve.ts";
import type { SumObservation } from "./sum-observation.ts";
import { tokenProgram, type HiddenToken, type TokenProgramOptions } from "./token-program.ts";

/** A column of at least this much is a token that the relaxation itself decided on. */
const WHOLE = 0.999;

/** Tokens that a program found, and the program. */
export interface TokenSolution {
  readonly program: LinearProgram;
  readonly solved: Solved;
  /** By position, the token of the largest column; empty where there is no feasible point. */
  readonly tokens: ReadonlyMap<number, number>;
  /** No token of it had to be rounded. */
  readonly integral: boolean;
}

/** Puts and solves the program of some hidden tokens; arguments as `tokenProgram`'s. */
export async function solveTokens(
  engine: StageEngine,
  observations: readonly SumObservation[],
  hidden: readonly HiddenToken[],
  known: ReadonlyMap<number, DictionaryPage>,
  options: TokenProgramOptions,
  timeLimitS: number,
): Promise<TokenSolution> {
  const { program, columns } = tokenProgram(engine, observations, hidden, known, options);
  const solved = await solveProgram(program, { timeLimitS });
  const best = new Map<number, { token: number; value: number }>();
  columns.forEach(({ position, token }, at) => {
    const value = solved.values?.[at] ?? 0;
    if (value > (best.get(position)?.value ?? 0)) best.set(position, { token, value });
  });
  return {
    program,
    solved,
    tokens: new Map([...best].map(([position, { token }]) => [position, token])),
    integral: best.size > 0 && [...best.values()].every(({ value }) => value > WHOLE),
  };
}
