/** The model's own order of what comes next. */
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { PrefixForward } from "./prefix-forward.ts";

/** Ids by descending logit; of equal ones the smaller id first. */
export function orderByLogits(logits: ArrayLike<number>): Uint32Array {
  const keys = Float64Array.from(logits);
  return Uint32Array.from(keys.keys()).sort((a, b) => keys[b] - keys[a] || a - b);
}

/** log softmax of [vocabulary] logits. */
export function logProbabilities(logits: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(logits);
  const max = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const log = max + Math.log(values.reduce((sum, value) => sum + Math.exp(value - max), 0));
  return values.map((value) => value - log);
}

/**
 * Logits of the first token of a document: what the model says after the token that ends one. A prefix that is empty has no row to ask.
 * Throws Error for a model that names no such token.
 */
export async function openingLogits(engine: StageEngine): Promise<ArrayLike<number>> {
  const [end] = engine.spec.stopTokens;
  if (end === undefined) throw new Error("proposals: expected a token that ends documents, got none");
  const forward = new PrefixForward(engine);
  await forward.extend([end]);
  return forward.nextLogits();
}

/** Ids of several orders in turn, each id once, where it comes first. */
export function* interleave(...orders: readonly ArrayLike<number>[]): Generator<number> {
  const given = new Set<number>();
  const longest = Math.max(...orders.map(({ length }) => length));
  for (let at = 0; at < longest; at++)
    for (const order of orders) {
      if (at >= order.length || given.has(order[at])) continue;
      given.add(order[at]);
      yield order[at];
    }
}
