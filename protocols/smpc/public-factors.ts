import { createHash } from "node:crypto";
import { ring } from "../../shares/ring.ts";
import { lowBits, type Words } from "../../shares/words.ts";
import { CombinedMatrix } from "./combined-matrix.ts";
import type { PublicFactors } from "./gate.ts";
import type { InstructionOf, MatrixSource, Plan } from "./instruction.ts";
import { MAX_MATRIX_INTEGER } from "./matrix-precision.ts";
import type { ParameterSource } from "./parameter-statistics.ts";
import { rotaryTable } from "./rotary-table.ts";

interface IntegerMatrix {
  readonly integers: Int32Array;
  readonly inputs: number;
  readonly outputs: number;
}

/**
 * The public integers of a model's plans, made from its parameters when they are first asked for and kept: matrices, biases, column
 * factors. Shares are uniform words, so a factor that differed by one unit between two parties would make garbage: `hash` tells.
 */
export class ModelFactors implements PublicFactors {
  readonly #parameter: ParameterSource;
  readonly #matrices = new Map<string, IntegerMatrix>();
  readonly #vectors = new Map<string, Words>();
  readonly #biases = new Map<string, Words | null>();
  /** SHA-256 (hex) of each table by its name. */
  readonly #digests = new Map<string, string>();

  constructor(parameter: ParameterSource) {
    this.#parameter = parameter;
  }

  /** As declared by PublicFactors; throws RangeError naming an entry that is too large, Error for a wrong number of words. */
  async multiply(
    source: MatrixSource,
    matrixFracBits: number,
    x: Words,
    rows: number,
    ringBits: number,
    out: Words,
  ): Promise<void> {
    const { integers, inputs, outputs } = this.#matrix(source, matrixFracBits);
    if (x.length !== rows * inputs || out.length !== rows * outputs)
      throw new Error(
        `${source.weight}: expected ${rows} * ${inputs} words in and ${rows} * ${outputs} out, got ${x.length} and ${out.length}`,
      );
    for (let row = 0; row < rows; row++)
      for (let j = 0; j < outputs; j++) {
        let sum = 0n;
        for (let i = 0; i < inputs; i++) sum += x[row * inputs + i] * BigInt(integers[i * outputs + j]);
        out[row * outputs + j] = BigInt.asUintN(64, sum) & lowBits(ringBits);
      }
  }

  bias(source: MatrixSource, fracBits: number): Words | null {
    const key = `bias ${fracBits} ${identity(source)}`;
    let words = this.#biases.get(key);
    if (words === undefined) {
      const values = new CombinedMatrix(source, this.#parameter).bias();
      words = values === null ? null : this.#encoded(key, values, fracBits);
      this.#biases.set(key, words);
    }
    return words;
  }

  /** As declared by PublicFactors; throws Error naming a vector whose length doesn't divide `length`. */
  vector(name: string, factor: number, fracBits: number, length: number): Words {
    const key = `vector ${name} ${factor} ${fracBits} ${length}`;
    let words = this.#vectors.get(key);
    if (words === undefined) {
      const { data } = this.#parameter(name);
      if (data.length === 0 || length % data.length !== 0)
        throw new Error(`${name}: expected a number of values that divides ${length}, got ${data.length}`);
      const values = Float64Array.from({ length }, (_, j) => data[j % data.length] * factor);
      words = this.#encoded(key, values, fracBits);
      this.#vectors.set(key, words);
    }
    return words;
  }

  /** Makes everything that a plan multiplies by, so that `hash` covers it before the first round. */
  prepare({ instructions, values }: Plan): void {
    for (const instruction of instructions) {
      if (instruction.gate === "linear") {
        this.#matrix(instruction.matrix, instruction.matrixFracBits);
        this.bias(instruction.matrix, values[instruction.out].fracBits);
      } else if (instruction.gate === "columns") {
        const { scale, factor, scaleFracBits, bias } = instruction;
        const { columns, fracBits } = values[instruction.out];
        if (scale !== null) this.vector(scale, factor, scaleFracBits, columns);
        if (bias !== null) this.vector(bias, 1, fracBits, columns);
      } else if (instruction.gate === "rotate") {
        this.#addRotary(instruction, values[instruction.x].rows);
      }
    }
  }

  /** Notes a table of another gate (made with functions that machines may round differently) under a name of its own. */
  addTable(name: string, words: Words): void {
    this.#note(`table ${name}`, words);
  }

  /** SHA-256 (hex) over all integers made so far, in the order of their names: equal at two parties that made the same. */
  hash(): string {
    const whole = createHash("sha256");
    for (const key of [...this.#digests.keys()].sort()) whole.update(`${key}\n${this.#digests.get(key)}\n`);
    return whole.digest("hex");
  }

  #matrix(source: MatrixSource, fracBits: number): IntegerMatrix {
    const key = `matrix ${fracBits} ${identity(source)}`;
    let matrix = this.#matrices.get(key);
    if (matrix === undefined) {
      matrix = integerMatrix(source, fracBits, this.#parameter);
      this.#note(key, matrix.integers);
      this.#matrices.set(key, matrix);
    }
    return matrix;
  }

  #encoded(key: string, values: Float64Array, fracBits: number): Words {
    const words = new BigUint64Array(values.length);
    ring.encode(words, values, fracBits);
    this.#note(key, words);
    return words;
  }

  #addRotary(instruction: InstructionOf<"rotate">, rows: number): void {
    const { headDim, inverseFrequencies, firstPosition, factor, tableFracBits } = instruction;
    const key = `rotary ${rows} ${JSON.stringify([headDim, inverseFrequencies, firstPosition, factor, tableFracBits])}`;
    if (this.#digests.has(key)) return;
    const { cos, sin } = rotaryTable(instruction, rows);
    const both = new BigUint64Array(cos.length + sin.length);
    both.set(cos);
    both.set(sin, cos.length);
    this.#note(key, both);
  }

  #note(key: string, integers: Int32Array | Words): void {
    const bytes = new Uint8Array(integers.buffer, integers.byteOffset, integers.byteLength);
    this.#digests.set(key, createHash("sha256").update(bytes).digest("hex"));
  }
}

/** 1.5 * 2^52: adding and subtracting it rounds a float64 below 2^51 to the nearest integer, ties to even. */
const ROUNDER = 1.5 * 2 ** 52;

/** The combined matrix at `fracBits`, [inputs, outputs], every entry rounded to the nearest integer, ties to even. */
function integerMatrix(source: MatrixSource, fracBits: number, parameter: ParameterSource): IntegerMatrix {
  const matrix = new CombinedMatrix(source, parameter);
  const { inputs, outputs } = matrix;
  const integers = new Int32Array(inputs * outputs);
  const row = new Float64Array(outputs);
  for (let i = 0; i < inputs; i++) {
    matrix.row(i, row);
    for (let j = 0; j < outputs; j++) {
      const scaled = row[j] * 2 ** fracBits;
      if (!(Math.abs(scaled) <= MAX_MATRIX_INTEGER))
        throw new RangeError(
          `${source.weight} [${i}, ${j}]: expected a magnitude of at most 2^20 at ${fracBits} fractional bits, got ${scaled}`,
        );
      integers[i * outputs + j] = scaled + ROUNDER - ROUNDER;
    }
  }
  return { integers, inputs, outputs };
}

/** The fields of a matrix in one order, so that equal matrices have one key. */
function identity(source: MatrixSource): string {
  const { weight, transposed, rowGain, factor, bias, biasFactor, rowBias, centred, columnShifts } = source;
  return JSON.stringify([weight, transposed, rowGain, factor, bias, biasFactor, rowBias, centred, columnShifts]);
}
