/**
 * Ring words times a public matrix of integers, exact mod 2^ringBits, in float64 products of ONNX Runtime: words are cut into limbs
 * so narrow that no sum leaves the integers that float64 holds. Test: tests/protocols/smpc/public-matrix.test.ts
 */
import type { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { joinLimbs, limbsFor, MOST_LIMB_BITS, splitLimbs, type Limbs } from "../../../shares/limbs.ts";
import type { Words } from "../../../shares/words.ts";
import { FloatRooms } from "../product/float-rooms.ts";

/** Blocks of inputs whose products are summed apart: more of them allow wider limbs, at the cost of joining more sums. */
const BLOCK_COUNTS = [1, 2, 4, 8, 16];

/** A public matrix [inputs, outputs] of integers below 2^31 in magnitude. */
export class PublicMatrix {
  readonly inputs: number;
  readonly outputs: number;
  /** In float64, so that no product has to convert them: twice the memory of the integers. */
  readonly #entries: Float64Array;
  readonly #product: Float64Product;
  /** Largest sum of magnitudes in a block of a column, by number of blocks. */
  readonly #columnSums = new Map<number, number>();
  readonly #plans = new Map<number, { limbs: Limbs; blocks: number }>();

  /** Of `integers` [inputs, outputs], which are copied. Throws RangeError if their number doesn't fit. */
  constructor(integers: Int32Array, inputs: number, outputs: number, product: Float64Product) {
    if (integers.length !== inputs * outputs)
      throw new RangeError(`public matrix: expected ${inputs} * ${outputs} integers, got ${integers.length}`);
    this.inputs = inputs;
    this.outputs = outputs;
    this.#entries = new Float64Array(integers);
    this.#product = product;
  }

  /**
   * x [rows, inputs] times the matrix: right mod 2^ringBits in `out` [rows, outputs], garbage above. Throws RangeError for operands of
   * other lengths.
   */
  async multiply(x: Words, rows: number, ringBits: number, out: Words): Promise<void> {
    const { inputs, outputs } = this;
    if (x.length !== rows * inputs || out.length !== rows * outputs)
      throw new RangeError(
        `public matrix: expected ${rows} * ${inputs} words in and ${rows} * ${outputs} out, got ${x.length} and ${out.length}`,
      );
    out.fill(0n);
    const { limbs, blocks } = this.#plan(ringBits);
    for (const { from, to } of cut(inputs, blocks)) {
      const width = to - from;
      const pieces = rooms.take(limbs.limbs * rows * width);
      const room = rooms.take(limbs.limbs * rows * outputs);
      splitLimbs(pieces, x, inputs, { from, width }, ringBits, limbs);
      const data = this.#entries.subarray(from * outputs, to * outputs);
      const sums = await this.#product.times(pieces, width, { data, shape: [width, outputs], transposed: false }, room);
      joinLimbs(out, sums, limbs);
      rooms.give(pieces, room);
    }
  }

  /** The fewest limbs, and then the fewest blocks. */
  #plan(ringBits: number): { limbs: Limbs; blocks: number } {
    let plan = this.#plans.get(ringBits);
    for (const blocks of plan === undefined ? BLOCK_COUNTS : []) {
      if (blocks > 1 && blocks * 2 > this.inputs) break;
      const limbs = limbsFor(ringBits, this.#columnSum(blocks));
      if (plan === undefined || limbs.limbs < plan.limbs.limbs) plan = { limbs, blocks };
      if (plan.limbs.limbs <= Math.ceil(ringBits / MOST_LIMB_BITS)) break; // no blocks need fewer
    }
    this.#plans.set(ringBits, plan!);
    return plan!;
  }

  #columnSum(blocks: number): number {
    let largest = this.#columnSums.get(blocks);
    if (largest !== undefined) return largest;
    largest = 0;
    const sums = new Float64Array(this.outputs);
    for (const { from, to } of cut(this.inputs, blocks)) {
      sums.fill(0);
      for (let i = from; i < to; i++)
        addMagnitudes(sums, this.#entries.subarray(i * this.outputs, (i + 1) * this.outputs));
      for (let j = 0; j < sums.length; j++) largest = Math.max(largest, sums[j]);
    }
    this.#columnSums.set(blocks, largest);
    return largest;
  }
}

/** Room for limbs and sums of products before, for those after: two products at a time (two parties in a process) of two sizes. */
const rooms = new FloatRooms(8);

/** sums += |row|. A function of its own so that it is soon compiled. */
function addMagnitudes(sums: Float64Array, row: Float64Array): void {
  for (let j = 0; j < sums.length; j++) sums[j] += Math.abs(row[j]);
}

/** `length` in `blocks` pieces that differ by at most one. */
function cut(length: number, blocks: number): { from: number; to: number }[] {
  return Array.from({ length: blocks }, (_, block) => ({
    from: Math.floor((length * block) / blocks),
    to: Math.floor((length * (block + 1)) / blocks),
  }));
}
