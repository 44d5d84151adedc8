/**
 * Where the visible entries of an attention matrix lie in a flat array: head-major, then query, then visible key ascending. Query i is
 * at position past + i; it sees keys at positions above its own minus `window`, and none after its own where causal.
 */

/** Which entries of the attention matrix exist: a query sees a contiguous range of keys, the same for every head. */
export interface AttentionLayout {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** New rows; their positions are past ... past + queries - 1. */
  readonly queries: number;
  /** Rows that came before; keys are past + queries. */
  readonly past: number;
  readonly causal: boolean;
  readonly window: number | null;
}

/** Positions [first, end) of the keys that a query sees. */
export interface VisibleKeys {
  readonly first: number;
  readonly end: number;
}

/** Number of keys: rows of the steps before and of this one. */
export const keyCount = ({ past, queries }: AttentionLayout): number => past + queries;

/** The keys that query `query` (0-based in this step) sees; never none. */
export function visibleKeys(layout: AttentionLayout, query: number): VisibleKeys {
  const { past, causal, window } = layout;
  const position = past + query;
  return {
    first: window === null ? 0 : Math.max(0, position - window + 1),
    end: causal ? position + 1 : keyCount(layout),
  };
}

/** Number of entries of all heads. */
export function entryCount(layout: AttentionLayout): number {
  let ofHead = 0;
  for (let query = 0; query < layout.queries; query++) {
    const { first, end } = visibleKeys(layout, query);
    ofHead += end - first;
  }
  return layout.heads * ofHead;
}

/** Entries of row i = head * queries + query are [offsets[i], offsets[i + 1]): [heads * queries + 1]. */
export function rowOffsets(layout: AttentionLayout): Int32Array {
  const { heads, queries } = layout;
  const offsets = new Int32Array(heads * queries + 1);
  for (let row = 0; row < heads * queries; row++) {
    const { first, end } = visibleKeys(layout, row % queries);
    offsets[row + 1] = offsets[row] + (end - first);
  }
  return offsets;
}

/** The head of K and V that a query head reads (grouped queries). */
export const kvHeadOf = ({ heads, kvHeads }: AttentionLayout, head: number): number =>
  Math.floor((head * kvHeads) / heads);
