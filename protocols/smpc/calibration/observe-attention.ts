import type { AttentionSpec } from "../../../layers/program.ts";
import type { SiteNames } from "../lowering/ranges.ts";
import { observedRows, type Batch } from "./batch.ts";
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

const nothingSeen = (): Extremes => ({
  uncapped: 0,
  low: Infinity,
  high: -Infinity,
  spread: 0,
  diagonalLow: 0,
  diagonalHigh: 0,
});

/**
 * Softmax attention of each sequence over itself, in float64: q [rows, heads * headDim], k and v [rows, kvHeads * headDim] to
 * [rows, heads * headDim]. Of the rows that are observed it records the logits relative to the row's pivot (see
 * `lowerAttention`: key 0; the row's own diagonal under a soft cap; under a window both, as the session's length decides), and the
 * output.
 */
export function observeAttention(
  spec: AttentionSpec,
  { q, k, v }: { readonly q: Block; readonly k: Block; readonly v: Block },
  { lengths, publicRows }: Pick<Batch, "lengths" | "publicRows">,
  names: SiteNames,
  statistics: SiteStatistics,
): Block {
  const sites = { logits: names.next("logits"), attended: names.next("attended") };
  const out: Block = { data: new Float64Array(q.data.length), columns: q.columns };
  const seen = nothingSeen();
  let first = 0;
  for (const [at, length] of lengths.entries()) {
    const rows = { first, length, unseen: publicRows?.[at] ?? 0 };
    for (let head = 0; head < spec.heads; head++) attendHead(spec, head, { q, k, v, out }, rows, seen);
    first += length;
  }
  const { uncapped, ...ends } = seen;
  statistics.note(sites.logits, { maxAbs: uncapped, ...ends });
  statistics.note(sites.attended, { maxAbs: maxAbs(observedRows({ lengths, publicRows })(out).data) });
  return out;
}

function attendHead(
  spec: AttentionSpec,
  head: number,
  { q, k, v, out }: { readonly q: Block; readonly k: Block; readonly v: Block; readonly out: Block },
  { first, length, unseen }: { readonly first: number; readonly length: number; readonly unseen: number },
  all: Extremes,
): void {
  const { headDim, scale, softCap, causal, window } = spec;
  const keyHead = Math.floor((head * spec.kvHeads) / spec.heads);
  const logits = new Float64Array(length);
  const readsDiagonal = softCap !== null || window !== null;
  const readsFirstKey = softCap === null;
  const ignored = nothingSeen();
  for (let r = 0; r < length; r++) {
    const seen = r < unseen ? ignored : all;
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
