/**
 * Where the visible entries of an attention matrix lie in a flat array: head-major, then query, then visible key ascending. Keys are those
 * of a public prefix, of the steps before, of this step; query i is at position prefix + past + i. It sees keys at positions above its own
 * minus `window`, and none after its own where causal.
 */
import type { Words } from "../../../shares/words.ts";

/** Which entries of the attention matrix exist: a query sees a contiguous range of keys, the same for every head. */
export interface AttentionLayout {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Keys that everybody knows; absent: none. */
  readonly prefix?: number;
  /** New rows; their positions are prefix + past ... prefix + past + queries - 1. */
  readonly queries: number;
  /** Secret rows that came before; secret keys are past + queries. */
  readonly past: number;
  readonly causal: boolean;
  readonly window: number | null;
}

/** Positions [first, end) of the keys that a query sees. */
export interface VisibleKeys {
  readonly first: number;
  readonly end: number;
}

/** Rows of a public vector: [rows * columns] of a parameter times `factor`. */
export interface PublicRows {
  readonly vector: string;
  readonly factor: number;
}

/** Number of secret keys: rows of the steps before and of this one. */
export const keyCount = ({ past, queries }: AttentionLayout): number => past + queries;

/** Number of public keys. */
export const prefixOf = ({ prefix = 0 }: AttentionLayout): number => prefix;

/** The keys that query `query` (0-based in this step) sees, of all; never none. */
export function visibleKeys(layout: AttentionLayout, query: number): VisibleKeys {
  const { past, causal, window } = layout;
  const position = prefixOf(layout) + past + query;
  return {
    first: window === null ? 0 : Math.max(0, position - window + 1),
    end: causal ? position + 1 : prefixOf(layout) + keyCount(layout),
  };
}

/** Some of the keys: rows of a matrix of their own, of which a query sees a range. */
export interface KeyPart {
  readonly count: number;
  readonly visible: (query: number) => VisibleKeys;
}

/** The keys of the public prefix: a query may see none of them. */
export function publicKeys(layout: AttentionLayout): KeyPart {
  const count = prefixOf(layout);
  return { count, visible: (query) => ({ first: Math.min(visibleKeys(layout, query).first, count), end: count }) };
}

/** The keys after the prefix. */
export function secretKeys(layout: AttentionLayout): KeyPart {
  const prefix = prefixOf(layout);
  const visible = (query: number): VisibleKeys => {
    const { first, end } = visibleKeys(layout, query);
    return { first: Math.max(0, first - prefix), end: end - prefix };
  };
  return { count: keyCount(layout), visible };
}

/** Number of entries of all heads whose keys are of one part. */
export const partCount = (layout: AttentionLayout, part: KeyPart): number =>
  partOffsets(layout, part)[layout.heads * layout.queries];

/** rowOffsets of the entries whose keys are of one part. */
export function partOffsets({ heads, queries }: AttentionLayout, { visible }: KeyPart): Int32Array {
  const offsets = new Int32Array(heads * queries + 1);
  for (let row = 0; row < heads * queries; row++) {
    const { first, end } = visible(row % queries);
    offsets[row + 1] = offsets[row] + (end - first);
  }
  return offsets;
}

/** All entries, from those of the public keys and of the secret ones. */
export function joinParts(layout: AttentionLayout, ofPublic: Words, ofSecret: Words): Words {
  if (prefixOf(layout) === 0) return ofSecret;
  const [all, first, second] = [
    rowOffsets(layout),
    ...[publicKeys, secretKeys].map((of) => partOffsets(layout, of(layout))),
  ];
  const out: Words = new BigUint64Array(all[all.length - 1]);
  for (let row = 0; row + 1 < all.length; row++) {
    out.set(ofPublic.subarray(first[row], first[row + 1]), all[row]);
    out.set(ofSecret.subarray(second[row], second[row + 1]), all[row + 1] - (second[row + 1] - second[row]));
  }
  return out;
}

/** The entries of the public keys and those of the secret ones. */
export function splitParts(layout: AttentionLayout, entries: Words): { ofPublic: Words; ofSecret: Words } {
  if (prefixOf(layout) === 0) return { ofPublic: new BigUint64Array(0), ofSecret: entries };
  const [all, first, second] = [
    rowOffsets(layout),
    ...[publicKeys, secretKeys].map((of) => partOffsets(layout, of(layout))),
  ];
  const [ofPublic, ofSecret]: Words[] = [first, second].map(
    (offsets) => new BigUint64Array(offsets[offsets.length - 1]),
  );
  for (let row = 0; row + 1 < all.length; row++) {
    const border = all[row] + first[row + 1] - first[row];
    ofPublic.set(entries.subarray(all[row], border), first[row]);
    ofSecret.set(entries.subarray(border, all[row + 1]), second[row]);
  }
  return { ofPublic, ofSecret };
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
  return partOffsets(layout, {
    count: prefixOf(layout) + keyCount(layout),
    visible: (query) => visibleKeys(layout, query),
  });
}

/** The head of K and V that a query head reads (grouped queries). */
export const kvHeadOf = ({ heads, kvHeads }: AttentionLayout, head: number): number =>
  Math.floor((head * kvHeads) / heads);
