import type { AttentionSpec } from "../../../layers/program.ts";
import type { SiteNames } from "../lowering/ranges.ts";
import { maxAbs, type Block } from "./observing-algebra.ts";
import type { SiteStatistics } from "./site-statistics.ts";

interface Extremes {
  uncapped: number;
  low: number;
  high: number;
  spread: number;
  diagonalLow: number;
  diagonalHigh: number;
}

/**
 * Softmax attention of each sequence over itself, in float64: q [rows, heads * headDim], k and v [rows, kvHeads * headDim] to
 * [rows, heads * headDim]. `lengths` are the rows of the sequences. Records the logits relative to the row's pivot (see
 * `lowerAttention`: key 0; the row's own diagonal under a soft cap; under a window both, as the session's length decides), and the
 * output.
 */
export function observeAttention(
  spec: AttentionSpec,
  { q, k, v }: { readonly q: Block; readonly k: Block; readonly v: Block },
  lengths: readonly number[],
  names: SiteNames,
  statistics: SiteStatistics,
): Block {
  const sites = { logits: names.next("logits"), attended: names.next("attended") };
  const out: Block = { data: new Float64Array(q.data.length), columns: q.columns };
  const seen: Extremes = { uncapped: 0, low: Infinity, high: -Infinity, spread: 0, diagonalLow: 0, diagonalHigh: 0 };
  let first = 0;
  for (const length of lengths) {
    for (let head = 0; head < spec.heads; head++) attendHead(spec, head, { q, k, v, out }, first, length, seen);
    first += length;
  }
  const { uncapped, ...ends } = seen;
  statistics.note(sites.logits, { maxAbs: uncapped, ...ends });
  statistics.note(sites.attended, { maxAbs: maxAbs(out.data) });
  return out;
}

function attendHead(
  spec: AttentionSpec,
  head: number,
  { q, k, v, out }: { readonly q: Block; readonly k: Block; readonly v: Block; readonly out: Block },
  first: number,
  length: number,
  seen: Extremes,
): void {
  const { headDim, scale, softCap, causal, window } = spec;
  const keyHead = Math.floor((head * spec.kvHeads) / spec.heads);
  const logits = new Float64Array(length);
  const readsDiagonal = softCap !== null || window !== null;
  const readsFirstKey = softCap === null;
  for (let r = 0; r < length; r++) {
    const [from, to] = [window === null ? 0 : Math.max(0, r - window + 1), causal ? r + 1 : length];
    const query = (first + r) * q.columns + head * headDim;
    let [min, max] = [Infinity, -Infinity];
    for (let s = from; s < to; s++) {
      const key = (first + s) * k.columns + keyHead * headDim;
      let dot = 0;
      for (let i = 0; i < headDim; i++) dot += q.data[query + i] * k.data[key + i];
      const logit = scale * dot;
      if (!(Math.abs(logit) <= seen.uncapped)) seen.uncapped = Math.abs(logit);
      logits[s] = softCap === null ? logit : softCap * Math.tanh(logit / softCap);
      min = Math.min(min, logits[s]);
      max = Math.max(max, logits[s]);
    }
    const pivots = [...(readsDiagonal ? [logits[r]] : []), ...(readsFirstKey && from === 0 ? [logits[0]] : [])];
    for (const pivot of pivots) {
      seen.low = Math.min(seen.low, min - pivot);
      seen.high = Math.max(seen.high, max - pivot);
    }
    seen.diagonalLow = Math.min(seen.diagonalLow, min - logits[r]);
    seen.diagonalHigh = Math.max(seen.diagonalHigh, max - logits[r]);
    seen.spread = Math.max(seen.spread, max - min);
    let total = 0;
    for (let s = from; s < to; s++) total += logits[s] = Math.exp(logits[s] - max);
    for (let s = from; s < to; s++) {
      const weight = logits[s] / total;
      const value = (first + s) * v.columns + keyHead * headDim;
      for (let i = 0; i < headDim; i++) out.data[query + i] += weight * v.data[value + i];
    }
  }
}
