import type { MatrixSource } from "./matrix-source.ts";
import type { ParameterSource } from "./parameter-source.ts";

/** Fractional bits that divided rows and columns have at least, and those of a product that the client gets. */
const LEAST_FRAC_BITS = 14;

/**
 * By how much columns of `inputs` entries are divided beyond their norms. Rounded rows and columns are longer than 1 by sqrt(inputs) half
 * units at most, and what parties drop adds some units of the product.
 */
const normRoom = (inputs: number): number => 1 / (1 - (Math.sqrt(inputs) + 4) * 2 ** -LEAST_FRAC_BITS);

/**
 * A public matrix [inputs, outputs] with everything that is folded into it, row by row in float64: additions, multiplications and
 * divisions in a fixed order, so that every machine has the same bits.
 */
export class CombinedMatrix {
  readonly inputs: number;
  readonly outputs: number;
  readonly #source: MatrixSource;
  readonly #weight: Float32Array;
  readonly #gain: Float32Array | null;
  readonly #parameter: ParameterSource;
  #norms: Float64Array | null = null;

  /** Throws Error naming the parameter whose shape doesn't fit. */
  constructor(source: MatrixSource, parameter: ParameterSource) {
    const { data, shape } = parameter(source.weight);
    if (shape.length !== 2) throw new Error(`${source.weight}: expected a matrix, got shape [${shape.join(", ")}]`);
    [this.inputs, this.outputs] = source.transposed ? [shape[1], shape[0]] : [shape[0], shape[1]];
    this.#source = source;
    this.#weight = data;
    this.#parameter = parameter;
    this.#gain = source.rowGain === null ? null : dividing(source.rowGain, this.inputs, parameter);
    const shifts = source.columnShifts?.length ?? this.outputs;
    if (shifts !== this.outputs)
      throw new Error(`${source.weight}: expected ${this.outputs} column shifts, got ${shifts}`);
  }

  /** Row `input` [outputs], written to `out`: weight * rowGain * factor, centred, shifted by column, divided by the columns' norms. */
  row(input: number, out: Float64Array): void {
    this.#undivided(input, out);
    if (this.#source.isNormalised !== true) return;
    const norms = this.norms();
    for (let j = 0; j < out.length; j++) out[j] /= norms[j];
  }

  /**
   * 2-norms of the columns, before they are divided by them, [outputs], a little longer: a product of divided rows and columns stays
   * below 1 with the roundings of both. 1 for a column of zeros.
   */
  norms(): Float64Array {
    if (this.#norms !== null) return this.#norms;
    const squares = new Float64Array(this.outputs);
    const row = new Float64Array(this.outputs);
    for (let i = 0; i < this.inputs; i++) {
      this.#undivided(i, row);
      addSquares(squares, row);
    }
    return (this.#norms = normsOf(squares, this.inputs));
  }

  #undivided(input: number, out: Float64Array): void {
    this.#unshifted(input, this.#gain === null ? 1 : this.#gain[input % this.#gain.length], out);
    if (this.#source.centred) centre(out);
    this.#shift(out);
  }

  /** bias * biasFactor + rowBias through the matrix (without rowGain), centred, shifted by column: [outputs]; null if there is none. */
  bias(): Float64Array | null {
    const { bias, biasFactor, rowBias, centred } = this.#source;
    if (bias === null && rowBias === null) return null;
    const sum = new Float64Array(this.outputs);
    if (bias !== null) {
      const { data } = this.#parameter(bias);
      if (data.length !== this.outputs) throw new Error(`${bias}: expected ${this.outputs} values, got ${data.length}`);
      for (let j = 0; j < sum.length; j++) sum[j] = data[j] * biasFactor;
    }
    if (rowBias !== null) {
      const shift = dividing(rowBias, this.inputs, this.#parameter);
      const row = new Float64Array(this.outputs);
      for (let i = 0; i < this.inputs; i++) {
        this.#unshifted(i, shift[i % shift.length], row);
        for (let j = 0; j < sum.length; j++) sum[j] += row[j];
      }
    }
    if (centred) centre(sum);
    this.#shift(sum);
    return sum;
  }

  #unshifted(input: number, gain: number, out: Float64Array): void {
    const { factor, transposed } = this.#source;
    const step = transposed ? this.inputs : 1;
    let at = transposed ? input : input * this.outputs;
    for (let j = 0; j < this.outputs; j++, at += step) out[j] = this.#weight[at] * gain * factor;
  }

  #shift(row: Float64Array): void {
    const { columnShifts } = this.#source;
    if (columnShifts !== null) for (let j = 0; j < row.length; j++) row[j] *= 2 ** -columnShifts[j];
  }
}

/** The norms by which columns of `inputs` entries are divided, from the sums of their squares. */
export function normsOf(squares: Float64Array, inputs: number): Float64Array {
  const room = normRoom(inputs);
  return squares.map((sum) => (sum === 0 ? 1 : Math.sqrt(sum) * room));
}

/** squares += row * row. A function of its own so that it is soon compiled. */
function addSquares(squares: Float64Array, row: Float64Array): void {
  for (let j = 0; j < row.length; j++) squares[j] += row[j] * row[j];
}

function centre(row: Float64Array): void {
  let sum = 0;
  for (let j = 0; j < row.length; j++) sum += row[j];
  const mean = sum / row.length;
  for (let j = 0; j < row.length; j++) row[j] -= mean;
}

/** A vector that is repeated to `length`. */
function dividing(name: string, length: number, parameter: ParameterSource): Float32Array {
  const { data } = parameter(name);
  if (data.length === 0 || length % data.length !== 0)
    throw new Error(`${name}: expected a number of values that divides ${length}, got ${data.length}`);
  return data;
}
