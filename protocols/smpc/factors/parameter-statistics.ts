import { CombinedMatrix } from "./combined-matrix.ts";
import type { MatrixSource } from "./matrix-source.ts";
import type { ParameterSource } from "./parameter-source.ts";

/** Sizes of public matrices and vectors, from which the lowering chooses their fractional bits. Each parameter is read once. */
export class ParameterStatistics {
  readonly #parameter: ParameterSource;
  readonly #sizes = new Map<string, { rms: number; maxAbs: number }>();
  readonly #columns = new Map<string, { norm: number; bias: number }>();

  constructor(parameter: ParameterSource) {
    this.#parameter = parameter;
  }

  /** Root mean square and largest magnitude of a combined matrix: of its factors, multiplied. */
  matrix(source: MatrixSource): { rms: number; maxAbs: number } {
    const weight = this.#size(source.weight);
    const gain = source.rowGain === null ? { rms: 1, maxAbs: 1 } : this.#size(source.rowGain);
    const factor = Math.abs(source.factor);
    return { rms: weight.rms * gain.rms * factor, maxAbs: weight.maxAbs * gain.maxAbs * factor };
  }

  /** Largest 2-norm of a combined matrix's columns, and largest magnitude of its bias. */
  largestColumn(source: MatrixSource): { norm: number; bias: number } {
    const key = JSON.stringify(source);
    let largest = this.#columns.get(key);
    if (largest === undefined) {
      const matrix = new CombinedMatrix(source, this.#parameter);
      const bias = matrix.bias() ?? new Float64Array(0);
      largest = {
        norm: matrix.norms().reduce((a, b) => Math.max(a, b), 0),
        bias: bias.reduce((a, b) => Math.max(a, Math.abs(b)), 0),
      };
      this.#columns.set(key, largest);
    }
    return largest;
  }

  /** Largest magnitude in a parameter. */
  largest(name: string): number {
    return this.#size(name).maxAbs;
  }

  /** Output features of a matrix. */
  outputs({ weight, transposed }: MatrixSource): number {
    const { shape } = this.#parameter(weight);
    return transposed ? shape[0] : shape[1];
  }

  /** log2 of a column gain's root mean square times a factor; a gain of zeros counts as 1. */
  log2Gain(gain: string | null, factor: number): number {
    const size = (gain === null ? 1 : this.#size(gain).rms) * Math.abs(factor);
    return size > 0 ? Math.log2(size) : 0;
  }

  #size(name: string): { rms: number; maxAbs: number } {
    let size = this.#sizes.get(name);
    if (size === undefined) {
      const { data } = this.#parameter(name);
      let [squares, maxAbs] = [0, 0];
      for (const value of data) {
        squares += value * value;
        maxAbs = Math.max(maxAbs, Math.abs(value));
      }
      size = { rms: Math.sqrt(squares / Math.max(1, data.length)), maxAbs };
      this.#sizes.set(name, size);
    }
    return size;
  }
}
