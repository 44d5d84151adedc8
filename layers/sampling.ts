import { Generator } from "../shares/generator.ts";
import type { FloatArray } from "./tensor.ts";

/** How a token is chosen from logits. Temperature 0 is greedy: the highest logit, the smallest id among equals. */
export interface SamplingRule {
  readonly temperature: number;
  /** Keep the k most likely tokens; 0 keeps all. */
  readonly topK: number;
  /** Keep the smallest set of most likely tokens whose probability reaches p; 1 keeps all. */
  readonly topP: number;
  readonly seed: number;
}

/** Always the highest logit. */
export const GREEDY: SamplingRule = { temperature: 0, topK: 0, topP: 1, seed: 0 };

/**
 * The token id that the rule picks from `logits` [vocabulary] at generation step `step`.
 *
 * Each step draws from its own stream, keyed by (seed, step): a resumed generation continues exactly.
 * Throws RangeError if a logit is NaN.
 */
export function sampleToken(logits: FloatArray, rule: SamplingRule, step: number): number {
  let best = 0;
  for (let id = 0; id < logits.length; id++) {
    if (Number.isNaN(logits[id]))
      throw new RangeError(`logits: expected numbers, got NaN at token ${id} (step ${step})`);
    if (logits[id] > logits[best]) best = id;
  }
  if (rule.temperature === 0) return best;

  const ids = mostLikely(logits, rule.topK === 0 ? logits.length : rule.topK);
  const weights = ids.map((id) => Math.exp((logits[id] - logits[best]) / rule.temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let kept = 0;
  let keptWeight = 0;
  do keptWeight += weights[kept++];
  while (kept < ids.length && keptWeight < rule.topP * total);

  let draw = new Generator(String(rule.seed), `sampling/step ${step}`).nextUnit() * keptWeight;
  for (let at = 0; at < kept; at++) {
    draw -= weights[at];
    if (draw < 0) return ids[at];
  }
  return ids[kept - 1]; // only rounding in the sum comes here
}

/** The ids of the `count` largest logits, largest first, the smaller id first among equals. */
function mostLikely(logits: FloatArray, count: number): number[] {
  const ids = Array.from(logits, (_, id) => id);
  ids.sort((a, b) => logits[b] - logits[a] || a - b);
  return ids.slice(0, count);
}
