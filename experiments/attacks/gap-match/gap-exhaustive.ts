/** Every guess of a gap: what a search is checked against where the vocabulary's power is small enough. */
import { GapEvaluator } from "./gap-evaluator.ts";
import type { GapGuess, GapTask } from "./gap-search.ts";

/** Guesses of one round; the tokens of a gap that they share are run once. */
const ROUND = 8192;

export interface ExhaustiveAnswer {
  readonly best: GapGuess;
  /** The nearest of all others. */
  readonly second: GapGuess;
  readonly guesses: number;
}

/** Tries every text of the missing tokens with every token of `own`. Throws RangeError where there are more than `most`. */
export async function exhaustGap(task: GapTask, most: number): Promise<ExhaustiveAnswer> {
  const { vocabulary } = task.forward.engine.spec;
  const total = vocabulary ** task.missing * task.own.length;
  if (!(total <= most)) throw new RangeError(`exhaustive search: expected at most ${most} guesses, got ${total}`);
  const evaluator = new GapEvaluator(task);
  let best: GapGuess = { tokens: [], distance: Infinity };
  let second = best;
  for (let from = 0; from < total; from += ROUND) {
    const guesses: number[][] = [];
    for (let at = from; at < Math.min(total, from + ROUND); at++) guesses.push(guessAt(at, task, vocabulary));
    (await evaluator.distances(guesses)).forEach((distance, at) => {
      const guess = { tokens: guesses[at], distance };
      if (distance < best.distance) [best, second] = [guess, best];
      else if (distance < second.distance) second = guess;
    });
  }
  return { best, second, guesses: total };
}

/** The guess of this number: the visible token turns fastest. */
function guessAt(at: number, { own, missing }: GapTask, vocabulary: number): number[] {
  const guess = [own[at % own.length]];
  let rest = Math.floor(at / own.length);
  for (let place = 0; place < missing; place++) {
    guess.unshift(rest % vocabulary);
    rest = Math.floor(rest / vocabulary);
  }
  return guess;
}
