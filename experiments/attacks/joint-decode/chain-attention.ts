/** Attention of many sequences at once over the few keys that are each sequence's own; what they share is a partial result already. */
import type { AttentionSpec } from "../../../layers/program.ts";
import type { PartialAttention } from "../../../layers/stage-engine.ts";
import type { FloatArray } from "../../../layers/tensor.ts";
import { isVisible } from "../../../layers/reference/attention.ts";

/** Partial results over shared keys, and queries that go on over keys of their own. */
export interface ChainAttention {
  readonly attention: AttentionSpec;
  readonly partial: PartialAttention;
  /** [sequences · queries, heads·headDim] */
  readonly q: FloatArray;
  /** [sequences · own, kvHeads·headDim] */
  readonly keys: FloatArray;
  readonly values: FloatArray;
  /** Own keys of a sequence, at positions from `position` on. */
  readonly own: number;
  readonly position: number;
  /** Of a sequence's queries: where they are, and how many of its own keys they see, the first ones. */
  readonly queries: readonly { readonly position: number; readonly sees: number }[];
}

/** Merges each query's own keys into its partial result, in place (the algebra of protocols/cascade/merge.ts). */
export function attendChains({ attention, partial, q, keys, values, own, position, queries }: ChainAttention): void {
  const { heads, kvHeads, headDim, scale, softCap, window } = attention;
  const [u, m, e] = [partial.u.data, partial.m.data, partial.e.data];
  const group = heads / kvHeads;
  const kvWidth = kvHeads * headDim;
  const rows = m.length / heads;
  for (let row = 0; row < rows; row++) {
    const query = queries[row % queries.length];
    const from = Math.floor(row / queries.length) * own;
    for (let step = 0; step < query.sees; step++) {
      if (window !== null && !isVisible(attention, query.position, position + step)) continue;
      const base = (from + step) * kvWidth;
      for (let h = 0; h < heads; h++) {
        const slot = row * heads + h;
        const qAt = slot * headDim;
        const kAt = base + Math.floor(h / group) * headDim;
        let dot = 0;
        for (let i = 0; i < headDim; i++) dot += q[qAt + i] * keys[kAt + i];
        const logit = softCap === null ? scale * dot : softCap * Math.tanh((scale * dot) / softCap);
        const old = m[slot];
        if (logit <= old) {
          const gain = Math.exp(logit - old);
          e[slot] += gain;
          for (let i = 0; i < headDim; i++) u[qAt + i] += values[kAt + i] * gain;
        } else {
          const keep = old === -Infinity ? 0 : Math.exp(old - logit);
          m[slot] = logit;
          e[slot] = e[slot] * keep + 1;
          for (let i = 0; i < headDim; i++) u[qAt + i] = u[qAt + i] * keep + values[kAt + i];
        }
      }
    }
  }
}
