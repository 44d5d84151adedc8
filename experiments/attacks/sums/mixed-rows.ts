/** What a CompNode holds of its rows' attention at a layer, as sums over keys: of each shard apart, or of all keys together. */
import type { AttentionSpec } from "../../../layers/program.ts";
import { isVisible } from "../../../layers/reference/attention.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";
import type { RowWord } from "./candidate-keys.ts";

/** One query row and head over some keys: mean = Σ exp(a) v / Σ exp(a), mass = Σ exp(a - top). */
export interface MixedRow {
  /** Position of the query row. */
  readonly position: number;
  readonly head: number;
  /** Positions of the keys that it sees. */
  readonly keys: readonly number[];
  /** [headDim], as the AttnNode holds it */
  readonly query: Float32Array;
  /** [headDim] */
  readonly mean: Float64Array;
  /** Unit of the weights; null: not known (a merged row). */
  readonly top: number | null;
  /** null: not known. */
  readonly mass: number | null;
}

/** Rows over one set of keys: those of shard k, or all (k null). */
export interface MixedSum {
  readonly k: number | null;
  readonly rows: readonly MixedRow[];
}

/** What is public about the session and the party's own rows. */
export interface MixedRowSource {
  readonly attention: AttentionSpec;
  readonly layer: number;
  /** Positions of each key shard. */
  readonly keyShards: readonly (readonly number[])[];
  readonly word: RowWord;
  readonly onWire: (rows: Float32Array | Float64Array) => Float32Array;
}

/** The sums of a view, a shard each: from partial results. Empty where the view has none. */
export function shardSums(view: RecordedView, source: MixedRowSource): MixedSum[] {
  const { attention, layer, keyShards } = source;
  const { heads, headDim } = attention;
  const queries = view.rows("q", layer);
  const sums = new Map<number, MixedRow[]>();
  for (const { k, positions, u, m, e } of view.partials(layer, heads, headDim)) {
    const rows = sums.get(k) ?? [];
    sums.set(k, rows);
    positions.forEach((position, row) => {
      const keys = keyShards[k].filter((key) => isVisible(attention, position, key));
      const query = queries.get(position);
      if (keys.length === 0 || query === undefined) return;
      const sent = source.onWire(query);
      for (let head = 0; head < heads; head++) {
        const at = row * heads + head;
        const mean = Float64Array.from(u.subarray(at * headDim, (at + 1) * headDim), (value) => value / e[at]);
        rows.push({ position, head, keys, query: headOf(sent, head, headDim), mean, top: m[at], mass: e[at] });
      }
    });
  }
  return [...sums].map(([k, rows]) => ({ k, rows: byPosition(rows) }));
}

/** The one sum of a view over all keys: from the merged rows, which a CompNode always has. */
export function mergedSum(view: RecordedView, source: MixedRowSource): MixedSum {
  const { attention, layer, keyShards } = source;
  const { heads, headDim } = attention;
  const all = keyShards.flat().sort((a, b) => a - b);
  const queries = view.rows("q", layer);
  const rows: MixedRow[] = [];
  for (const [position, attended] of view.rows("attended", layer)) {
    const query = queries.get(position);
    if (query === undefined) continue;
    const sent = source.onWire(query);
    const keys = all.filter((key) => isVisible(attention, position, key));
    for (let head = 0; head < heads; head++) {
      const mean = Float64Array.from(headOf(attended, head, headDim));
      rows.push({ position, head, keys, query: headOf(sent, head, headDim), mean, top: null, mass: null });
    }
  }
  return { k: null, rows: byPosition(rows) };
}

const byPosition = (rows: MixedRow[]): MixedRow[] => rows.sort((a, b) => a.position - b.position || a.head - b.head);

function headOf<A extends Float32Array | Float64Array>(row: A, head: number, headDim: number): A {
  return row.subarray(head * headDim, (head + 1) * headDim) as A;
}
