/**
 * Whether a server multiplied as it should: a Freivalds check of answers of which only top bits are sent, in the ring.
 *
 * Functionality: rows X [inputs] mod 2^K went to a server, or a seed of theirs; it answered top_j = floor(P_j / 2^t) for P = X M mod 2^K,
 *   M [inputs, outputs] public integers. With what an answer leaves of its products, centred,
 *     D_j = P_j - 2^t top_j - 2^(t-1) mod 2^K,   for an honest answer in [-2^(t-1), 2^(t-1)),
 *   and secret v in {0,1}^outputs the holder of M v, computed once, knows v . D = (M v) . X - 2^t v . top - 2^(t-1) |v| mod 2^K, and
 *   s = sum_j D_j by the vector of ones. A row is refused if s is not within outputs 2^(t-1), or if for one of the k vectors
 *     v . D - floor(s / 2) mod 2^K   is not within [-T, T],  T = `window`.
 * Parties: the client alone; servers send nothing for it.
 * Leaks: nothing before a row is refused, so the vectors serve for all sessions until one is: as long as no row is, what a server sees
 *   does not depend on them. Whether a row is refused depends on what that server saw and said and on the vectors, on no prompt.
 * Assumes: vectors that the servers don't know; an honest answer does not depend on them.
 * Cost: none on the wire; (k + 1) (inputs + outputs) multiply-adds a row, where rows are few k / 7 outputs additions in place of the second.
 * Error bound: completeness and soundness below. (M v) . X is summed in float64; the bound of its rounding is part of the window.
 *
 * An honest row is refused with probability at most 1e-12, whatever its remainders are: v . D - s / 2 is half the sum of +-D_j with
 *   independent signs and |D_j| <= 2^(t-1), so beyond T with probability at most 2 exp(-2 T^2 / (outputs 4^(t-1))) (Hoeffding) for each of
 *   the k vectors; `window` solves that for T. No rounding has to be uniform or independent.
 * An answer that has a word j with |D_j| > 2 T (as the nearest residue), so any word off by more than 2 T / 2^t + 1/2 units, is missed with
 *   probability at most 2^-k: s is the same for every v, so with all other entries of v fixed the checked words for v_j = 0 and v_j = 1
 *   differ by D_j mod 2^K, and both lie in a window of width 2 T only if |D_j| <= 2 T. The entries of the k vectors are independent.
 *   This holds in a ring with zero divisors because the entries of v differ by 1, a unit. With v in {-1,1} they differ by 2: two words both
 *   off by half the ring would cancel under every v. A server that adapts its lies to not having been caught gains nothing: up to the first
 *   refusal what it sees is the same for all v, so its lies are chosen before v is drawn. Where sessions go on under the same v after a
 *   refusal (others that were open), its lies up to the first that is missed are again one sequence, so that of q one is missed with
 *   probability q 2^-k at most.
 * What is missed: lies of at most 2 T in every word, T = 1.98 sqrt(outputs) units of the answer for k = 20 (110 of 3,072 outputs). Lies in
 *   many words add up: with E the 2-norm of D and the sum of |D_j| below half the ring, v . D - s / 2 has standard deviation E / 2 and is E / 4
 *   or more in magnitude with probability 3/16 or more (Paley and Zygmund), so E > 4 T is missed with probability (13/16)^k at most, 1.6 % for
 *   k = 20. What a server adds to a row of results unseen is of at most 2 T + half a unit a word, and but for that 2-norm below
 *   4 T + sqrt(outputs) / 2 units.
 * Reference: Freivalds, Probabilistic machines can use less running time, IFIP 1977; for delegated layers Slalom, arXiv 1806.03287.
 * Test: tests/protocols/smpc/answer-check.test.ts
 */
import type { Float64Product, RightSide } from "../../../layers/onnx/float64-product.ts";
import { splitLimbs } from "../../../shares/limbs.ts";
import type { Words } from "../../../shares/words.ts";
import { FloatRooms } from "../product/float-rooms.ts";
import { answerWindow } from "./answer-window.ts";
import { multiplyRows } from "./multiply-rows.ts";
import type { SecretSubsets } from "./secret-subsets.ts";
import type { SecretVectors } from "./secret-vectors.ts";

/** Words of a ring are exact in float64 up to here. */
const MOST_RING_BITS = 50;
/** From so many rows on, ONNX Runtime is faster than plain loops. */
const MANY_ROWS = 8;
/** Rows that are checked at a time, so that room for them is bounded. */
const TILE_ROWS = 64;
/** Arrays for tiles of checks: the words that went to a server and what it said. */
const rooms = new FloatRooms(12);

/** Integers of a matrix [inputs, outputs], row by row (see IntegerRows). */
export interface RowsOfIntegers {
  readonly inputs: number;
  readonly outputs: number;
  /** Writes row `input` to `out` [outputs]. */
  read(input: number, out: Int32Array): void;
}

/** What a server says are X M mod 2^ringBits without the low `droppedBits`, for X [rows, inputs] of its own or from its seed. */
export interface Answers {
  readonly x: Words;
  /** One for each matrix, [rows, its outputs], bits above the sent ones zero. */
  readonly tops: readonly Words[];
  readonly rows: number;
  readonly ringBits: number;
  readonly droppedBits: number;
}

/** Checks a server's products of the same rows by one or more matrices; it keeps (vectors + 1) * inputs numbers and no matrix. */
export class AnswerCheck {
  readonly inputs: number;
  /** Of all matrices. */
  readonly outputs: number;
  readonly vectors: number;
  /** Of each matrix. */
  readonly #parts: readonly SecretSubsets[];
  /** Outputs in each subset, and at the end all: [vectors + 1] */
  readonly #sizes: Float64Array;
  /** Columns M v, and at the end that of the ones: [vectors + 1, inputs] */
  readonly #folded: Float64Array;
  /** Largest sum of magnitudes in one of these columns. */
  readonly #factorSum: number;
  readonly #product: Float64Product | null;
  /** Sums of one row, [vectors + 1]. */
  readonly #scratch: Float64Array;

  private constructor(
    inputs: number,
    vectors: number,
    parts: readonly SecretSubsets[],
    folded: Float64Array,
    product: Float64Product | null,
  ) {
    this.inputs = inputs;
    this.vectors = vectors;
    this.outputs = parts.reduce((sum, { columns }) => sum + columns, 0);
    this.#parts = parts;
    this.#sizes = new Float64Array(vectors + 1);
    for (const { sizes } of parts) addTo(this.#sizes, sizes);
    this.#folded = folded;
    this.#factorSum = largestSum(folded, inputs);
    this.#product = product;
    this.#scratch = new Float64Array(vectors + 1);
  }

  /**
   * Reads matrices that multiply the same rows once, with the secret vectors of their numbers of outputs. `product` makes checks of many
   * rows faster. Throws RangeError for matrices of different inputs, and what `read` throws.
   */
  static make(
    matrices: readonly RowsOfIntegers[],
    secrets: SecretVectors,
    product: Float64Product | null = null,
  ): AnswerCheck {
    const [{ inputs }] = matrices;
    if (matrices.some((each) => each.inputs !== inputs))
      throw new RangeError(
        `check: expected matrices of ${inputs} inputs, got ${matrices.map((each) => each.inputs).join(", ")}`,
      );
    const { vectors } = secrets;
    const folded = new Float64Array((vectors + 1) * inputs);
    const sums = new Float64Array(vectors + 1);
    const parts = matrices.map(({ outputs }, part) => secrets.of(part, outputs));
    matrices.forEach((matrix, part) => {
      const row = new Int32Array(matrix.outputs);
      for (let i = 0; i < inputs; i++) {
        matrix.read(i, row);
        parts[part].sums(row, sums);
        for (let v = 0; v <= vectors; v++) folded[v * inputs + i] += sums[v];
      }
    });
    return new AnswerCheck(inputs, vectors, parts, folded, product);
  }

  /** What `make` gave as `sums`, with the same vectors; `columns`: of each matrix. Throws RangeError for sums of another length. */
  static restore(
    inputs: number,
    columns: readonly number[],
    sums: Float64Array,
    secrets: SecretVectors,
    product: Float64Product | null = null,
  ): AnswerCheck {
    const { vectors } = secrets;
    if (sums.length !== (vectors + 1) * inputs)
      throw new RangeError(`check: expected ${(vectors + 1) * inputs} sums, got ${sums.length}`);
    const parts = columns.map((outputs, part) => secrets.of(part, outputs));
    return new AnswerCheck(inputs, vectors, parts, sums, product);
  }

  /** Secret sums of the matrices' rows, [vectors + 1, inputs]. */
  get sums(): Float64Array {
    return this.#folded;
  }

  /** T, in units of the products: a word that is off by more than twice that and half a unit of the answer is found. */
  window(ringBits: number, droppedBits: number): number {
    return this.#threshold(ringBits, droppedBits) + this.#rounding(ringBits, droppedBits);
  }

  /**
   * The first row of answers that no honest server gives, or null. Throws RangeError for operands of other lengths, rings of more than 50
   * bits, and where so few bits are sent that no lie could be told from a rounding.
   */
  async faultyRow(answers: Answers): Promise<number | null> {
    this.#expectFitting(answers);
    const { ringBits, droppedBits } = answers;
    const { outputs, vectors } = this;
    const half = droppedBits === 0 ? 0 : 2 ** (droppedBits - 1);
    const threshold = this.#threshold(ringBits, droppedBits);
    const most = half * outputs + this.#rounding(ringBits, droppedBits);
    for (let first = 0; first < answers.rows; first += TILE_ROWS) {
      const rows = Math.min(TILE_ROWS, answers.rows - first);
      const left = await this.#leftOver(answers, first, rows); // v . D
      for (let row = 0; row < rows; row++) {
        const at = row * (vectors + 1);
        if (Math.abs(left[at + vectors]) > most) return first + row;
        const middle = Math.floor(left[at + vectors] / 2);
        for (let v = 0; v < vectors; v++)
          if (Math.abs(residue(left[at + v] - middle, 2 ** ringBits)) > threshold) return first + row;
      }
      rooms.give(left);
    }
    return null;
  }

  /** What an honest row stays within, as it is computed. */
  #threshold(ringBits: number, droppedBits: number): number {
    return answerWindow(this.outputs, this.vectors, droppedBits) + 2 * this.#rounding(ringBits, droppedBits);
  }

  /** By how much v . D can be off as it is computed, in any order of summation: terms * 2^-53 of the sum of magnitudes, where it isn't exact. */
  #rounding(ringBits: number, droppedBits: number): number {
    const off = (terms: number, magnitudes: number): number =>
      magnitudes <= 2 ** 53 ? 0 : 1.01 * terms * 2 ** -53 * magnitudes;
    const said = off(this.outputs, this.outputs * 2 ** (ringBits - droppedBits - 1)) * 2 ** droppedBits;
    return off(this.inputs, this.#factorSum * 2 ** (ringBits - 1)) + said;
  }

  #expectFitting({ x, tops, rows, ringBits, droppedBits }: Answers): void {
    const { inputs, outputs } = this;
    const parts = this.#parts.map(({ columns }) => columns);
    const fits = tops.length === parts.length && tops.every((top, part) => top.length === rows * parts[part]);
    if (x.length !== rows * inputs || !fits)
      throw new RangeError(
        `check: expected ${rows} * ${inputs} words in and ${rows} * [${parts.join(", ")}] out, got ${x.length} and [${tops.map((top) => top.length).join(", ")}]`,
      );
    if (!(ringBits <= MOST_RING_BITS))
      throw new RangeError(`check: expected a ring of at most ${MOST_RING_BITS} bits, got ${ringBits}`);
    // Then windows and sums of all words are apart from their images mod 2^K.
    const widest = Math.max(4 * this.window(ringBits, droppedBits), outputs * 2 ** droppedBits);
    if (!(droppedBits >= 0 && widest < 2 ** ringBits))
      throw new RangeError(
        `check: expected fewer dropped bits of ${ringBits} for ${outputs} outputs, got ${droppedBits}; send more bits of a word`,
      );
  }

  /** v . D of some rows by row and vector, nearest residues: [rows, vectors + 1] */
  async #leftOver({ x, tops, ringBits, droppedBits }: Answers, first: number, rows: number): Promise<Float64Array> {
    const { inputs, vectors } = this;
    const product = rows >= MANY_ROWS ? this.#product : null;
    const expected = rooms.take(rows * (vectors + 1)); // (M v) . X
    const said = rooms.take(rows * (vectors + 1)).fill(0); // v . top
    const sent = rooms.take(rows * inputs);
    toReals(sent, x, first * inputs, ringBits);
    if (product === null) multiplyRows(expected, sent, this.#folded, inputs);
    else await product.times(sent, inputs, columnsOf(this.#folded, inputs), expected);
    rooms.give(sent);
    for (const [part, subsets] of this.#parts.entries()) {
      const { columns } = subsets;
      const top = rooms.take(rows * columns);
      toReals(top, tops[part], first * columns, ringBits - droppedBits);
      if (product === null) addSums(said, subsets, top, this.#scratch);
      else addTo(said, await product.times(top, columns, columnsOf(subsets.indicators, columns)));
      rooms.give(top);
    }
    takeOff(expected, said, this.#sizes, ringBits, droppedBits);
    rooms.give(said);
    return expected;
  }
}

/** expected -= said 2^droppedBits + half a unit for each word, nearest residues mod 2^ringBits; all [rows, sizes.length]. */
function takeOff(
  expected: Float64Array,
  said: Float64Array,
  sizes: Float64Array,
  ringBits: number,
  droppedBits: number,
): void {
  const [ringSize, sentSize, unit] = [2 ** ringBits, 2 ** (ringBits - droppedBits), 2 ** droppedBits];
  const half = droppedBits === 0 ? 0 : unit / 2;
  for (let at = 0; at < expected.length; at += sizes.length)
    for (let v = 0; v < sizes.length; v++) {
      const dropped = residue(expected[at + v], ringSize) - unit * residue(said[at + v], sentSize);
      expected[at + v] = residue(dropped - half * sizes[v], ringSize);
    }
}

/** The right side of a product whose columns lie one after the other. */
const columnsOf = (data: Float64Array, inner: number): RightSide => ({
  data,
  shape: [data.length / inner, inner],
  transposed: true,
});

/** out = words from `from` on as the nearest residues mod 2^bits. */
function toReals(out: Float64Array, words: Words, from: number, bits: number): void {
  const block = { from: 0, width: out.length };
  splitLimbs(out, words.subarray(from, from + out.length), out.length, block, bits, { limbBits: bits, limbs: 1 });
}

/** said [rows, vectors + 1] += the sums of rows top [rows, columns]; `sums`: room for those of a row. */
function addSums(said: Float64Array, subsets: SecretSubsets, top: Float64Array, sums: Float64Array): void {
  for (let row = 0; row * sums.length < said.length; row++) {
    subsets.sums(top.subarray(row * subsets.columns, (row + 1) * subsets.columns), sums);
    addTo(said.subarray(row * sums.length, (row + 1) * sums.length), sums);
  }
}

function addTo(out: Float64Array, x: Float64Array): void {
  for (let at = 0; at < out.length; at++) out[at] += x[at];
}

/** The residue modulo a power of two that is nearest to 0. */
const residue = (value: number, modulus: number): number => value - modulus * Math.round(value / modulus);

/** Largest sum of magnitudes of a row of x [rows, columns]. */
function largestSum(x: Float64Array, columns: number): number {
  let most = 0;
  for (let at = 0; at < x.length; at += columns)
    most = Math.max(
      most,
      x.subarray(at, at + columns).reduce((sum, value) => sum + Math.abs(value), 0),
    );
  return most;
}
