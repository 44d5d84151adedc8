import { CombinedMatrix } from "./combined-matrix.ts";
import { MAX_MATRIX_INTEGER } from "./matrix-precision.ts";
import type { MatrixSource } from "./matrix-source.ts";
import type { ParameterSource } from "./parameter-source.ts";

/** 1.5 * 2^52: adding and subtracting it rounds a float64 below 2^51 to the nearest integer, ties to even. */
const ROUNDER = 1.5 * 2 ** 52;

/** The integers of a public matrix [inputs, outputs], row by row, so that whoever needs no whole matrix keeps none. */
export class IntegerRows {
  readonly inputs: number;
  readonly outputs: number;
  readonly #matrix: CombinedMatrix;
  readonly #fracBits: number;
  readonly #name: string;
  readonly #row: Float64Array;

  /** The matrix of `source` at `fracBits`. Throws Error naming the parameter whose shape doesn't fit. */
  constructor(source: MatrixSource, fracBits: number, parameter: ParameterSource) {
    this.#matrix = new CombinedMatrix(source, parameter);
    this.inputs = this.#matrix.inputs;
    this.outputs = this.#matrix.outputs;
    this.#fracBits = fracBits;
    this.#name = source.weight;
    this.#row = new Float64Array(this.outputs);
  }

  /**
   * Row `input`, every entry rounded to the nearest integer, ties to even, written to `out` [outputs]. Throws RangeError naming an entry of
   * more than MAX_MATRIX_INTEGER in magnitude.
   */
  read(input: number, out: Int32Array): void {
    const row = this.#row;
    this.#matrix.row(input, row);
    const unit = 2 ** this.#fracBits;
    const large = roundRow(out, row, unit);
    if (large >= 0)
      throw new RangeError(
        `${this.#name} [${input}, ${large}]: expected a magnitude of at most 2^20 at ${this.#fracBits} fractional bits, got ${row[large] * unit}`,
      );
  }
}

/** out = row * unit, rounded; the first column that is too large, or -1. A function of its own so that it is soon compiled. */
function roundRow(out: Int32Array, row: Float64Array, unit: number): number {
  for (let j = 0; j < row.length; j++) {
    const scaled = row[j] * unit;
    if (!(Math.abs(scaled) <= MAX_MATRIX_INTEGER)) return j;
    out[j] = scaled + ROUNDER - ROUNDER;
  }
  return -1;
}
