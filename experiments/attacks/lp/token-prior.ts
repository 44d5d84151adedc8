import { forwardPass } from "../../../layers/forward-pass.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { takeRows } from "../../../layers/tensor.ts";

/** Share of the unigram distribution in the mixture: a token that the model rules out may still be there after a wrong guess before it. */
const UNIGRAM_SHARE = 0.3;

/** What a language model expects of hidden tokens, as costs for a linear objective. */
export class TokenPrior {
  readonly #engine: StageEngine;
  /** [vocabulary], sums to 1 */
  readonly unigram: Float64Array;

  /** `training`: token ids of public text. */
  constructor(engine: StageEngine, training: Iterable<readonly number[]>) {
    this.#engine = engine;
    const counts = new Float64Array(engine.spec.vocabulary).fill(1); // add-one: no token is impossible
    let total = counts.length;
    for (const ids of training)
      for (const id of ids) {
        counts[id]++;
        total++;
      }
    this.unigram = counts.map((count) => count / total);
  }

  /** -log of the unigram distribution, [vocabulary]. */
  unigramCosts(): Float64Array {
    return this.unigram.map((p) => -Math.log(p));
  }

  /**
   * -log p for each of `count` tokens after a known prefix, [count][vocabulary]: the model's distribution along its own greedy
   * continuation, mixed with the unigram one. For a decoder; without a prefix the unigram costs alone. Costs a forward pass of the
   * whole prefix a token.
   */
  async continuation(prefix: readonly number[], count: number): Promise<Float64Array[]> {
    const costs: Float64Array[] = [];
    const ids = [...prefix];
    for (let at = 0; at < count; at++) {
      const logits = ids.length === 0 ? null : await this.#lastLogits(ids);
      if (logits === null) {
        costs.push(this.unigramCosts());
        continue;
      }
      const probabilities = softmax(logits);
      costs.push(probabilities.map((p, v) => -Math.log((1 - UNIGRAM_SHARE) * p + UNIGRAM_SHARE * this.unigram[v])));
      ids.push(probabilities.indexOf(Math.max(...probabilities)));
    }
    return costs;
  }

  async #lastLogits(ids: readonly number[]): Promise<Float64Array | null> {
    const engine = this.#engine;
    const positions = ids.map((_, t) => t);
    let x = await engine.embed(ids, positions);
    for await (const rows of forwardPass(engine, x, positions)) x = rows;
    const { logits } = await engine.head(takeRows(x, [ids.length - 1]));
    return logits === null ? null : Float64Array.from(logits.data);
  }
}

function softmax(logits: Float64Array): Float64Array {
  const most = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = logits.map((logit) => Math.exp(logit - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}
