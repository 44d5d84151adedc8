import type { AttentionSpec } from "../../../layers/program.ts";

/** Rows that attend, and what they attend to; row-major. */
export interface AttendedRows {
  /** [queries, heads * headDim] */
  readonly q: Float64Array;
  /** [keys, kvHeads * headDim] */
  readonly k: Float64Array;
  readonly v: Float64Array;
  /** Of the first query and of the first key; the others follow. */
  readonly firstQuery: number;
  readonly firstKey: number;
}

/** Softmax attention in float64, [queries, heads * headDim]; a query that sees no key is a row of zeros. */
export function attendRows(spec: AttentionSpec, { q, k, v, firstQuery, firstKey }: AttendedRows): Float64Array {
  const { heads, kvHeads, headDim } = spec;
  const [queryWidth, keyWidth] = [heads * headDim, kvHeads * headDim];
  const [queries, keys] = [q.length / queryWidth, k.length / keyWidth];
  const out = new Float64Array(q.length);
  const weights = new Float64Array(keys);
  for (let head = 0; head < heads; head++) {
    const keyHead = Math.floor((head * kvHeads) / heads) * headDim;
    for (let query = 0; query < queries; query++) {
      const position = firstQuery + query;
      const first = spec.window === null ? 0 : Math.max(0, position - spec.window + 1 - firstKey);
      const end = spec.causal ? Math.min(keys, position + 1 - firstKey) : keys;
      const at = query * queryWidth + head * headDim;
      softmaxOf(spec, q, at, k, keyHead, keyWidth, first, end, weights);
      for (let key = first; key < end; key++) {
        const weight = weights[key];
        const from = key * keyWidth + keyHead;
        for (let i = 0; i < headDim; i++) out[at + i] += weight * v[from + i];
      }
    }
  }
  return out;
}

/** Sets weights[first .. end) to the softmax of one query's logits. A function of its own so that it is soon compiled. */
function softmaxOf(
  { scale, softCap, headDim }: AttentionSpec,
  q: Float64Array,
  at: number,
  k: Float64Array,
  keyHead: number,
  keyWidth: number,
  first: number,
  end: number,
  weights: Float64Array,
): void {
  let most = -Infinity;
  for (let key = first; key < end; key++) {
    const from = key * keyWidth + keyHead;
    let dot = 0;
    for (let i = 0; i < headDim; i++) dot += q[at + i] * k[from + i];
    const logit = softCap === null ? scale * dot : softCap * Math.tanh((scale * dot) / softCap);
    weights[key] = logit;
    if (logit > most) most = logit;
  }
  let sum = 0;
  for (let key = first; key < end; key++) sum += weights[key] = Math.exp(weights[key] - most);
  for (let key = first; key < end; key++) weights[key] /= sum;
}
