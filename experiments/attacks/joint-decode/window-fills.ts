/** Fills of a window drawn from the language model: its own tokens are known, the others come one by one. */
import { seededChance } from "../../lab/statistics/bootstrap.ts";
import type { CandidateToken, PrefixForward } from "../matching/prefix-forward.ts";

/** Sequences that run at a time: their logits stay below some tens of MB. */
const MOST_LOGITS = 2 ** 23;

export interface WindowFills {
  /** [fills][window] */
  readonly fills: readonly (readonly number[])[];
  /** By place, [vocabulary]: the mean over fills of what the model says there. */
  readonly prior: readonly Float64Array[];
}

/**
 * Draws fills at temperature 1. `known`: tokens of the window, null where they are asked for; `opening`: logits of a document's first token, for an
 * empty prefix. Throws Error for a model without a head.
 */
export async function windowFills(
  forward: PrefixForward,
  known: readonly (number | null)[],
  opening: ArrayLike<number>,
  { count, seed }: { readonly count: number; readonly seed: number },
): Promise<WindowFills> {
  const { layers, vocabulary } = forward.engine.spec;
  const chance = seededChance(seed);
  const fills: number[][] = Array.from({ length: count }, () => []);
  const prior = known.map(() => new Float64Array(vocabulary));
  const chunk = Math.max(1, Math.min(count, Math.floor(MOST_LOGITS / vocabulary)));
  for (let from = 0; from < count; from += chunk) {
    const part = fills.slice(from, from + chunk);
    const chains: CandidateToken[][] = part.map(() => []);
    let logits: (guess: number) => ArrayLike<number>;
    const first = forward.length === 0 ? opening : forward.nextLogits();
    logits = () => first;
    for (const [place, own] of known.entries()) {
      const tokens: number[] = [];
      part.forEach((fill, guess) => {
        const probabilities = softmax(logits(guess));
        for (let id = 0; id < vocabulary; id++) prior[place][id] += probabilities[id] / count;
        const token = own ?? draw(probabilities, chance());
        fill.push(token);
        tokens.push(token);
      });
      if (place + 1 === known.length) break;
      const batch = await forward.run(
        chains.map((chain) => [...chain]),
        tokens,
        layers,
      );
      const { data } = (await forward.logits(batch)).logits;
      logits = (guess) => data.subarray(guess * vocabulary, (guess + 1) * vocabulary);
      chains.forEach((chain, row) => chain.push({ batch, row }));
    }
  }
  return { fills, prior };
}

function softmax(logits: ArrayLike<number>): Float64Array {
  let max = -Infinity;
  for (let id = 0; id < logits.length; id++) if (logits[id] > max) max = logits[id];
  const out = new Float64Array(logits.length);
  let sum = 0;
  for (let id = 0; id < out.length; id++) sum += out[id] = Math.exp(logits[id] - max);
  for (let id = 0; id < out.length; id++) out[id] /= sum;
  return out;
}

function draw(probabilities: Float64Array, at: number): number {
  let sum = 0;
  for (let id = 0; id < probabilities.length; id++) if ((sum += probabilities[id]) > at) return id;
  return probabilities.length - 1;
}
