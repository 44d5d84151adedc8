import type { Block } from "./observing-algebra.ts";

/** Sequences that run together, each at positions 0, 1, ... */
export interface Batch {
  /** Token ids of all rows; not read where `rows` is given. */
  readonly ids: readonly number[];
  /** Rows of each sequence. */
  readonly lengths: readonly number[];
  /** First rows of each sequence that are not observed, as everybody knows them; absent: none. */
  readonly publicRows?: readonly number[];
  /** Input [rows, d] of the first layer; null: the embeddings of `ids`. */
  readonly rows: Float64Array | null;
}

/** What takes the rows of a batch that are observed out of all its rows. */
export const observedRows =
  ({ lengths, publicRows }: Pick<Batch, "lengths" | "publicRows">) =>
  ({ data, columns }: Block): Block => {
    if (publicRows === undefined || publicRows.every((rows) => rows === 0)) return { data, columns };
    const kept: Float64Array[] = [];
    let row = 0;
    for (const [at, length] of lengths.entries()) {
      kept.push(data.subarray((row + publicRows[at]) * columns, (row + length) * columns));
      row += length;
    }
    const out = new Float64Array(kept.reduce((sum, rows) => sum + rows.length, 0));
    let at = 0;
    for (const rows of kept) {
      out.set(rows, at);
      at += rows.length;
    }
    return { data: out, columns };
  };
