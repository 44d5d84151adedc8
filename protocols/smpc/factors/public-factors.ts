import { createHash } from "node:crypto";
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import { CombinedMatrix } from "./combined-matrix.ts";
import type { PublicFactors, PublicIntegers, PublicTable, PublicTables } from "../plan/gate.ts";
import type { Plan } from "../plan/instruction.ts";
import { IntegerRows } from "./integer-rows.ts";
import type { MatrixSource } from "./matrix-source.ts";
import type { ParameterSource } from "./parameter-source.ts";
import { gateOf } from "../plan/gate-of.ts";

/** Words times one public matrix: x [rows, inputs] -> out [rows, outputs], right mod 2^ringBits, garbage above. */
export interface MatrixProduct {
  readonly inputs: number;
  readonly outputs: number;
  multiply(x: Words, rows: number, ringBits: number, out: Words): Promise<void>;
}

/** Makes the product by `integers` [inputs, outputs], magnitudes of at most MAX_MATRIX_INTEGER. */
export type MakeProduct = (integers: Int32Array, inputs: number, outputs: number) => MatrixProduct;

/**
 * The public integers of a model's plans, made from its parameters when they are first asked for and kept: matrices, biases, column
 * factors. Shares are uniform words, so a factor that differed by one unit between two parties would make garbage: `hash` tells.
 */
export class ModelFactors implements PublicFactors {
  readonly #parameter: ParameterSource;
  readonly #makeProduct: MakeProduct;
  readonly #matrices = new Map<string, MatrixProduct>();
  readonly #vectors = new Map<string, Words>();
  readonly #biases = new Map<string, Words | null>();
  /** SHA-256 (hex) of each table by its name. */
  readonly #digests = new Map<string, string>();

  /** `makeProduct`: a PublicMatrix where speed matters; without it plain loops, at 0.25 G multiply-adds a second and limb. */
  constructor(parameter: ParameterSource, makeProduct: MakeProduct = plainProduct) {
    this.#parameter = parameter;
    this.#makeProduct = makeProduct;
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
    const product = this.#matrix(source, matrixFracBits);
    const { inputs, outputs } = product;
    if (x.length !== rows * inputs || out.length !== rows * outputs)
      throw new Error(
        `${source.weight}: expected ${rows} * ${inputs} words in and ${rows} * ${outputs} out, got ${x.length} and ${out.length}`,
      );
    await product.multiply(x, rows, ringBits, out);
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

  table<T extends PublicIntegers>({ make }: PublicTable<T>): T {
    return make();
  }

  /** Makes everything that a plan's parties look up or multiply by, so that `hash` covers it before the first round. */
  prepare(plan: Plan): void {
    for (const _ of this.preparing(plan));
  }

  /** The same, instruction by instruction: a caller may do other things in between. */
  *preparing({ instructions, values }: Plan): Generator<void> {
    const declared: PublicTables = {
      matrix: (matrix, fracBits) => void this.#matrix(matrix, fracBits),
      bias: (matrix, fracBits) => void this.bias(matrix, fracBits),
      vector: (name, factor, fracBits, length) => void this.vector(name, factor, fracBits, length),
      table: ({ key, make }) => {
        if (!this.#digests.has(key)) this.#note(key, make());
      },
    };
    for (const instruction of instructions) {
      gateOf(instruction).tables(instruction, (id) => values[id], declared);
      yield;
    }
  }

  /** Notes a table that isn't the plan's under a name of its own. */
  addTable(name: string, words: Words): void {
    this.#note(`table ${name}`, words);
  }

  /** SHA-256 (hex) over all integers made so far, in the order of their names: equal at two parties that made the same. */
  hash(): string {
    const whole = createHash("sha256");
    for (const key of [...this.#digests.keys()].sort()) whole.update(`${key}\n${this.#digests.get(key)}\n`);
    return whole.digest("hex");
  }

  #matrix(source: MatrixSource, fracBits: number): MatrixProduct {
    const key = `matrix ${fracBits} ${identity(source)}`;
    let product = this.#matrices.get(key);
    if (product === undefined) {
      const rows = new IntegerRows(source, fracBits, this.#parameter);
      const integers = wholeMatrix(rows);
      this.#note(key, integers);
      product = this.#makeProduct(integers, rows.inputs, rows.outputs);
      this.#matrices.set(key, product);
    }
    return product;
  }

  #encoded(key: string, values: Float64Array, fracBits: number): Words {
    const words = new BigUint64Array(values.length);
    ring.encode(words, values, fracBits);
    this.#note(key, words);
    return words;
  }

  #note(key: string, integers: Int32Array | Words): void {
    const bytes = new Uint8Array(integers.buffer, integers.byteOffset, integers.byteLength);
    this.#digests.set(key, createHash("sha256").update(bytes).digest("hex"));
  }
}

/** The integers of a whole matrix, [inputs, outputs]. */
function wholeMatrix(rows: IntegerRows): Int32Array {
  const { inputs, outputs } = rows;
  const integers = new Int32Array(inputs * outputs);
  for (let i = 0; i < inputs; i++) rows.read(i, integers.subarray(i * outputs, (i + 1) * outputs));
  return integers;
}

/** Bits of a word that are multiplied at a time, and inputs whose products are summed: 22 + 20 + 11 bits are exact in float64. */
const LIMB_BITS = 22;
const BLOCK_INPUTS = 2 ** 11;

/** The product in plain loops. */
const plainProduct: MakeProduct = (integers, inputs, outputs) => ({
  inputs,
  outputs,
  async multiply(x, rows, ringBits, out) {
    multiplyIntegers({ integers, inputs, outputs }, x, rows, ringBits, out);
  },
});

function multiplyIntegers(
  { integers, inputs, outputs }: { integers: Int32Array; inputs: number; outputs: number },
  x: Words,
  rows: number,
  ringBits: number,
  out: Words,
): void {
  const halves = new Uint32Array(x.buffer, x.byteOffset, 2 * x.length);
  const sums = new Float64Array(outputs);
  out.fill(0n);
  for (let bit = 0; bit < ringBits; bit += LIMB_BITS)
    for (let row = 0; row < rows; row++)
      for (let first = 0; first < inputs; first += BLOCK_INPUTS) {
        sums.fill(0);
        for (let i = first; i < Math.min(inputs, first + BLOCK_INPUTS); i++) {
          const at = 2 * (row * inputs + i);
          const limb = limbAt(halves[at], halves[at + 1], bit);
          const from = i * outputs;
          for (let j = 0; j < outputs; j++) sums[j] += limb * integers[from + j];
        }
        const to = row * outputs;
        for (let j = 0; j < outputs; j++) out[to + j] += BigInt(sums[j]) << BigInt(bit);
      }
}

/** Bits [bit, bit + 22) of a word given as its lower and upper half; `bit` is 0, 22 or 44. */
function limbAt(low: number, high: number, bit: number): number {
  if (bit === 0) return low & (2 ** LIMB_BITS - 1);
  if (bit === LIMB_BITS) return (low >>> LIMB_BITS) | ((high & 0xfff) << 10);
  return high >>> 12;
}

/** The fields of a matrix in one order, so that equal matrices have one key. */
function identity(source: MatrixSource): string {
  const { weight, transposed, rowGain, factor, bias, biasFactor, rowBias, centred, columnShifts } = source;
  const fields = [weight, transposed, rowGain, factor, bias, biasFactor, rowBias, centred, columnShifts];
  return JSON.stringify(source.isNormalised === true ? [...fields, true] : fields);
}
