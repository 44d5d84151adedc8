/** What a probe is: a closed-form reader of one kind of row at one layer, that ranks the whole vocabulary. */
import type { Float64Product } from "../../../layers/onnx/float64-product.ts";

/** Token ids, best first, with their scores (of one scale within a probe, not across probes). */
export interface Ranking {
  readonly ids: number[];
  readonly scores: number[];
}

export interface RowProbe {
  readonly name: string;
  /** Elements of a row. */
  readonly width: number;
  /** Tokens that it chooses among: ids 0 to classes - 1. */
  readonly classes: number;
  /** The `count` best token ids for a row [width]. Throws RangeError for another width. */
  rank(row: Float32Array | Float64Array, count: number): Ranking;
  /** Scores of all tokens for many rows [rows, width]: [rows, classes]. */
  scoreAll(product: Float64Product, rows: Float32Array): Promise<Float64Array>;
}
