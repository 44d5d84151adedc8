/** What a probe is: a reader of one kind of row at one layer, that ranks the whole vocabulary. */
import type { Float64Product } from "../../../layers/onnx/float64-product.ts";

export interface RowProbe {
  readonly name: string;
  /** Elements of a row. */
  readonly width: number;
  /** Tokens that it chooses among: ids 0 to classes - 1. */
  readonly classes: number;
  /** Scores of all tokens for many rows [rows, width]: [rows, classes]. */
  scoreAll(product: Float64Product, rows: Float32Array): Promise<Float64Array>;
}
