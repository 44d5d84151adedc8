/** The model's own order of what comes next. */
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { PrefixForward } from "./prefix-forward.ts";

/** Ids that fit beside a float32 in the 53 bits of a float64. */
const MOST_IDS = 2 ** 20;

/** Ids by descending logit, as float32; of equal ones the smaller id first. Throws RangeError for more than 2^20. */
export function orderByLogits(logits: ArrayLike<number>): Uint32Array {
  if (logits.length > MOST_IDS)
    throw new RangeError(`order: expected at most ${MOST_IDS} logits, got ${logits.length}`);
  const bits = new Int32Array(Float32Array.from(logits).buffer);
  // The bits of a float32 order as integers do, negative ones backwards; typed arrays sort fast without a comparison of one's own.
  const keys = Float64Array.from(bits, (word, id) => (word < 0 ? word & 0x7fffffff : -word) * MOST_IDS + id).sort();
  return Uint32Array.from(keys, (key) => key - Math.floor(key / MOST_IDS) * MOST_IDS);
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
