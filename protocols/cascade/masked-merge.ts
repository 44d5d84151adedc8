/**
 * The masked merge: a CompNode learns the merged attention output of its rows and no shard's share of it.
 *
 * Functionality: AttnNode (j, k) sends round(2^f · weight_k · u_k / e_k) plus its mask (mask-seeds.ts) as words mod 2^32, the weights
 *   being those of the scale exchange (scale-exchange.ts) and f public for the layer and value head (merge-scales.ts). The CompNode's sum
 *   over k mod 2^32, divided by 2^f, is the attention output; m and e are not sent. A row that sees nothing in a shard adds zeros, one
 *   that sees nothing at all is 0. One AttnNode alone at work on some rows sends them unmasked: its row is the merged row.
 * Parties: AttnNodes (j, ·) (inputs: their partial results), CompNodes that own the query rows (output: attended rows).
 * Leaks: to a CompNode the merged rows, which it needs: a sum over all keys that a row sees. If that is one key, the row is its v row
 *   (causal: the row's own). Nothing of a shard apart, unless all AttnNodes of j but one collude with it: with b = 2 any one undoes it.
 * Assumes: semi-honest; the scale exchange's and the masks' assumptions; |v| below the public bound, checked by each AttnNode.
 * Cost: `maskedAttentionCost`, `maskedPostCost`. Error bound: b · 2^-(f+1) of rounding, 2^f at least 2^29 / max |v|; beside it the
 *   weights' (scale-exchange.ts). No overflow: each shard's row is at most 2^30 or the session ends, and weights sum to 1.
 * Reference: arXiv 2507.05228 (the merge); Bonawitz et al., CCS 2017 (the masks). Proof: none yet.
 * Test: tests/protocols/cascade/masked-merge.test.ts
 */
import type { PartialAttention } from "../../layers/stage-engine.ts";
import type { AttentionSpec } from "../../layers/program.ts";
import { allocate, type Tensor, type Word } from "../../layers/tensor.ts";
import type { CostExpressions } from "../cost.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import type { AttendedQueries, AttentionAt } from "./attention-pass.ts";
import { keyOf, type Session } from "./session.ts";
import type { MaskSeeds } from "./mask-seeds.ts";
import { MAX_WORD_BITS } from "./merge-scales.ts";
import { exchangeScales } from "./scale-exchange.ts";

/** In place of the attention-pass's; a word has 4 bytes whatever floats have. Np as in the scale exchange. */
export const maskedAttentionCost: CostExpressions = {
  payloadBytes: "4 * Nq * dq",
  messages: "Mq",
  rounds: "1",
  multiplyAdds: "2 * QK * dq + (Nq + Np) * dq",
};

/** In place of the post-pass's: words are added. */
export const maskedPostCost: CostExpressions = {
  payloadBytes: "0",
  messages: "0",
  rounds: "0",
  multiplyAdds: "N * (dq * d + Mlp) + Nq * dq",
};

/** Where an AttnNode stands: which one it is, its seeds, and the attention of the layer. */
export interface MaskingNode {
  readonly j: number;
  readonly k: number;
  readonly seeds: MaskSeeds;
  readonly attention: AttentionSpec;
}

/** Weighs, masks and returns to each owner its rows. Throws RangeError for a value above the public bound. */
export async function sendMasked(
  session: Session,
  endpoint: Endpoint,
  at: AttentionAt,
  { j, k, seeds, attention }: MaskingNode,
  { owners, partial }: AttendedQueries,
): Promise<void> {
  const others = session.schedule.askedOf(at.step, at.layer, j).filter((other) => other !== k);
  await seeds.offer(others);
  const weights = await exchangeScales(session, endpoint, at, j, others, partial);
  await seeds.collect(others, at);
  const words = weighedWords(partial, weights, attention, session.mergeScales!.fractionBits[at.layer]);
  seeds.mask(words, others, at);
  const columns = attention.heads * attention.headDim;
  let from = 0;
  const sends: Promise<void>[] = [];
  for (const [owner, { length }] of owners) {
    const data = words.subarray(from * columns, (from + length) * columns);
    from += length;
    const key = keyOf(session, "masked", at.layer, at.step);
    sends.push(endpoint.send(owner, key, { data, shape: [length, columns] }));
  }
  await Promise.all(sends);
}

/**
 * round(2^f · weight · u / e), [rows, heads·headDim]; weights [rows, heads], fractionBits [kvHeads]. Throws RangeError for a value
 * above 2^30 before it is weighed, or none that is a number.
 */
export function weighedWords(
  { u, e }: Pick<PartialAttention, "u" | "e">,
  weights: Float64Array,
  { heads, kvHeads, headDim }: AttentionSpec,
  fractionBits: readonly number[],
): Int32Array {
  const words = new Int32Array(u.data.length);
  for (let slot = 0; slot < weights.length; slot++) {
    const sum = e.data[slot];
    if (sum === 0) continue; // nothing visible: zeros
    const head = Math.floor(((slot % heads) * kvHeads) / heads);
    const scale = 2 ** fractionBits[head] / sum;
    const weight = weights[slot];
    const end = (slot + 1) * headDim;
    for (let i = slot * headDim; i < end; i++) {
      const word = u.data[i] * scale;
      if (!(Math.abs(word) <= 2 ** MAX_WORD_BITS))
        throw new RangeError(
          `masked merge: expected values of head ${head} within 2^${MAX_WORD_BITS - fractionBits[head]}, got one beyond; use --merge plain`,
        );
      words[i] = Math.round(word * weight);
    }
  }
  return words;
}

/** The running sum of masked words of `rows` query rows. */
export class MaskedSum {
  readonly #attention: AttentionSpec;
  /** [rows, heads·headDim] */
  readonly #words: Int32Array;

  constructor(rows: number, attention: AttentionSpec) {
    this.#attention = attention;
    this.#words = new Int32Array(rows * attention.heads * attention.headDim);
  }

  /** Adds the words of indices.length rows to the rows `indices`, mod 2^32. */
  add(words: Int32Array, indices: readonly number[]): void {
    const columns = this.#attention.heads * this.#attention.headDim;
    for (let row = 0, from = 0; row < indices.length; row++)
      for (let to = indices[row] * columns, end = to + columns; to < end; to++, from++) this.#words[to] += words[from];
  }

  /** The attention output [rows, heads·headDim], once all words are there; fractionBits [kvHeads]. */
  finish(word: Word, fractionBits: readonly number[]): Tensor {
    const { heads, kvHeads, headDim } = this.#attention;
    const data = allocate(word, this.#words.length);
    const columns = heads * headDim;
    for (let i = 0; i < data.length; i++) {
      const head = Math.floor((Math.floor((i % columns) / headDim) * kvHeads) / heads);
      data[i] = this.#words[i] * 2 ** -fractionBits[head];
    }
    return { data, shape: [columns === 0 ? 0 : data.length / columns, columns] };
  }
}
