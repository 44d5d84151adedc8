/** The prior-only control of the matching attacks: the language model fills in what it wasn't told, and sees no row. */
import type { StageEngine } from "../../../layers/stage-engine.ts";
import type { Recovery } from "../../lab/attack.ts";
import { orderByLogits } from "./proposals.ts";
import { PrefixForward } from "./prefix-forward.ts";

/** Guesses of a position: the model's own best. */
const GUESSES = 5;

/** Greedy continuation of the known ids over all `length` positions: at each unknown one the model's best guesses after the guesses before it. */
export async function priorContinuation(
  engine: StageEngine,
  opening: ArrayLike<number>,
  known: ReadonlyMap<number, number>,
  length: number,
): Promise<Recovery> {
  const forward = new PrefixForward(engine);
  const guesses = new Map<number, readonly number[]>();
  for (let position = 0; position < length; position++) {
    const given = known.get(position);
    const ids =
      given === undefined
        ? [...orderByLogits(position === 0 ? opening : forward.nextLogits()).subarray(0, GUESSES)]
        : [given];
    guesses.set(position, ids);
    await forward.extend([ids[0]]);
  }
  return { guesses, certified: new Set(), forwardPasses: length - known.size, figures: {} };
}
