/** What AttnNodes put under their masks in a masked merge, from tokens that one knows: weighed rows of each shard as words. */
import { forwardPass } from "../../../layers/forward-pass.ts";
import { takeRows, type Tensor } from "../../../layers/tensor.ts";
import { weighedWords } from "../../../protocols/cascade/masked-merge.ts";
import type { Schedule } from "../../../protocols/cascade/schedule.ts";
import { logSums, weightsOf } from "../../../protocols/cascade/scale-exchange.ts";
import { shards } from "../../../protocols/cascade/sharding.ts";
import type { PublicKnowledge } from "../../lab/attack.ts";

/** Rows of one step in the order in which an AttnNode masks them. */
export interface WeighedRows {
  readonly positions: readonly number[];
  /** [rows, heads * headDim] */
  readonly words: Int32Array;
}

/** Positions of the rows that AttnNodes (j, ·) work on in a step, owner by owner: the order of words under one mask. */
export function maskedOrder(schedule: Schedule, layer: number, step: number, j: number): readonly number[] {
  const pair = schedule.work(step, layer).find((work) => work.j === j && work.queries.length > 0);
  return pair === undefined ? [] : [...schedule.owned(pair.queries).values()].flat();
}

export class WeighedShards {
  readonly #knowledge: PublicKnowledge;
  readonly #layer: number;
  /** Of all positions. */
  readonly #q: Tensor;
  readonly #k: Tensor;
  readonly #v: Tensor;

  private constructor(knowledge: PublicKnowledge, layer: number, { q, k, v }: { q: Tensor; k: Tensor; v: Tensor }) {
    this.#knowledge = knowledge;
    this.#layer = layer;
    this.#q = q;
    this.#k = k;
    this.#v = v;
  }

  /** Runs the tokens of a whole session of a causal model to a layer. */
  static async of(knowledge: PublicKnowledge, ids: readonly number[], layer: number): Promise<WeighedShards> {
    const { engine } = knowledge;
    const positions = ids.map((_, at) => at);
    let rows: Tensor | null = null;
    for await (const x of forwardPass(engine, await engine.embed(ids, positions), positions, { to: layer })) rows = x;
    return new WeighedShards(knowledge, layer, await engine.pre(layer, rows!, positions));
  }

  /** The words of AttnNode (j, k) before they are masked; null where it has none. Throws Error for a session without a masked merge. */
  async of(step: number, j: number, k: number): Promise<WeighedRows | null> {
    const { engine, schedule, description } = this.#knowledge;
    if (description.mergeScales === null) throw new Error("weighed rows: expected a masked merge, got a plain one");
    const asked = schedule.askedOf(step, this.#layer, j);
    if (!asked.includes(k)) return null;
    const positions = maskedOrder(schedule, this.#layer, step, j);
    const keys = shards(schedule.s, 0, schedule.stepRange(step)[1]);
    const partials = await Promise.all(
      asked.map((shard) =>
        engine.attend(
          this.#layer,
          takeRows(this.#q, positions),
          positions,
          takeRows(this.#k, keys[shard]),
          takeRows(this.#v, keys[shard]),
          keys[shard],
        ),
      ),
    );
    const scales = partials.map(({ m, e }) => logSums(m.data, e.data, description.wire));
    const own = asked.indexOf(k);
    const weights = weightsOf(
      scales[own],
      scales.filter((_, at) => at !== own),
    );
    const bits = description.mergeScales.fractionBits[this.#layer];
    return { positions, words: weighedWords(partials[own], weights, engine.attention(this.#layer), bits) };
  }
}
