import type { FloatArray } from "../../layers/tensor.ts";
import { topTwo } from "./distribution-difference.ts";

/** Tokens with the logits that each was chosen by, [vocabulary]. */
export interface Continuation {
  readonly tokens: readonly number[];
  readonly logits: readonly FloatArray[];
}

/** Where two greedy continuations part, and whether noise explains it. */
export interface GreedyDifference {
  /** Tokens that are the same before the first that differs. */
  readonly same: number;
  readonly identical: boolean;
  /** Root mean square of how far the margin of the first two logits is off, over the steps up to and with that one. */
  readonly marginNoise: number;
  readonly maxMarginNoise: number;
  /** The expected model's margin between its token and the other's, where they part; null: nowhere. */
  readonly margin: number | null;
  /** The smallest margin of the steps that agree. */
  readonly smallestMargin: number;
}

/** Compares continuations of one prompt up to the first token that differs: later ones continue different texts. */
export function greedyDifference(expected: Continuation, actual: Continuation): GreedyDifference {
  const parts = expected.tokens.findIndex((token, step) => token !== actual.tokens[step]);
  const same = parts < 0 ? expected.tokens.length : parts;
  const compared = Math.min(same + 1, expected.tokens.length, actual.tokens.length);
  const noises: number[] = [];
  let smallestMargin = Infinity;
  for (let step = 0; step < compared; step++) {
    const [p, q] = [expected.logits[step], actual.logits[step]];
    const [first, second] = topTwo(p, 0, p.length);
    noises.push(Math.abs(p[first] - p[second] - (q[first] - q[second])));
    if (step < same) smallestMargin = Math.min(smallestMargin, p[first] - p[second]);
  }
  const at = parts >= 0 && parts < actual.tokens.length ? expected.logits[parts] : null;
  return {
    same,
    identical: parts < 0 && expected.tokens.length === actual.tokens.length,
    marginNoise: Math.sqrt(noises.reduce((sum, noise) => sum + noise ** 2, 0) / noises.length),
    maxMarginNoise: Math.max(...noises),
    margin: at === null ? null : at[expected.tokens[parts]] - at[actual.tokens[parts]],
    smallestMargin,
  };
}
