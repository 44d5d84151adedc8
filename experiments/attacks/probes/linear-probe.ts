/** The form that every closed-form probe here takes: a linear map of the row, then one affine score a token. */
import type { Float64Product } from "../../../layers/onnx/float64-product.ts";
import type { RowProbe } from "./row-probe.ts";

/** Token ids, best first, with their scores (of one scale within a probe, not across probes). */
export interface Ranking {
  readonly ids: number[];
  readonly scores: number[];
}

export interface LinearProbeParts {
  readonly name: string;
  /** Elements of a row. */
  readonly width: number;
  /** Subtracted from the row first, [width]. */
  readonly center: Float64Array | null;
  /** z = (x - center) T, [width, inner]; null: z is the centred row. */
  readonly transform: Float64Array | null;
  /** Scale z to length 1 (cosine)? */
  readonly unitLength: boolean;
  /** Tokens that have weights, in the order of these; null: all. */
  readonly weighted: readonly number[] | null;
  /** [tokens with weights, inner] */
  readonly weights: Float64Array;
  /** Factor of |z|² in a token's score, [classes]. */
  readonly quadratic: Float64Array | null;
  /** [classes]; null: none (and all tokens have weights) */
  readonly bias: Float64Array | null;
}

/** score(c) = weights(c)·z + quadratic(c) |z|² + bias(c). */
export class LinearProbe implements RowProbe {
  readonly name: string;
  readonly width: number;
  readonly classes: number;
  readonly #parts: LinearProbeParts;
  readonly #inner: number;

  constructor(parts: LinearProbeParts) {
    this.name = parts.name;
    this.width = parts.width;
    this.#inner = parts.transform === null ? parts.width : parts.transform.length / parts.width;
    this.classes = parts.bias === null ? parts.weights.length / this.#inner : parts.bias.length;
    this.#parts = parts;
  }

  /** The `count` best token ids for a row [width]. Throws RangeError for another width. */
  rank(row: Float32Array | Float64Array, count: number): Ranking {
    if (row.length !== this.width)
      throw new RangeError(`${this.name}: expected a row of ${this.width}, got ${row.length} elements`);
    const { transform, weights } = this.#parts;
    let z = this.#centered(row);
    if (transform !== null) {
      const mapped = new Float64Array(this.#inner);
      for (let i = 0; i < this.width; i++)
        for (let j = 0; j < this.#inner; j++) mapped[j] += z[i] * transform[i * this.#inner + j];
      z = mapped;
    }
    const square = this.#finish(z);
    const products = new Float64Array(weights.length / this.#inner);
    for (let c = 0; c < products.length; c++) {
      let sum = 0;
      for (let j = 0, at = c * this.#inner; j < this.#inner; j++) sum += weights[at + j] * z[j];
      products[c] = sum;
    }
    const scores = this.#spread(products, 1);
    this.#addAffine(scores, square);
    return best(scores, count);
  }

  async scoreAll(product: Float64Product, rows: Float32Array): Promise<Float64Array> {
    const { transform, weights } = this.#parts;
    const n = rows.length / this.width;
    let z = new Float64Array(rows.length);
    for (let r = 0; r < n; r++)
      z.set(this.#centered(rows.subarray(r * this.width, (r + 1) * this.width)), r * this.width);
    if (transform !== null)
      z = (await product.times(z, this.width, {
        data: transform,
        shape: [this.width, this.#inner],
        transposed: false,
      })) as typeof z;
    const squares = Array.from({ length: n }, (_, r) =>
      this.#finish(z.subarray(r * this.#inner, (r + 1) * this.#inner)),
    );
    const right = { data: weights, shape: [weights.length / this.#inner, this.#inner], transposed: true } as const;
    const scores = this.#spread(await product.times(z, this.#inner, right), n);
    squares.forEach((square, r) => this.#addAffine(scores.subarray(r * this.classes, (r + 1) * this.classes), square));
    return scores;
  }

  /** Products [rows, tokens with weights] to where they belong in [rows, classes]; 0 for the others. */
  #spread(products: Float64Array, rows: number): Float64Array {
    const { weighted } = this.#parts;
    if (weighted === null) return products;
    const scores = new Float64Array(rows * this.classes);
    for (let row = 0; row < rows; row++)
      for (let at = 0; at < weighted.length; at++)
        scores[row * this.classes + weighted[at]] = products[row * weighted.length + at];
    return scores;
  }

  #centered(row: Float32Array | Float64Array): Float64Array {
    const centered = Float64Array.from(row);
    const { center } = this.#parts;
    if (center !== null) for (let i = 0; i < centered.length; i++) centered[i] -= center[i];
    return centered;
  }

  /** Scales z in place where the probe says so; its squared length before. */
  #finish(z: Float64Array): number {
    let square = 0;
    for (const value of z) square += value * value;
    if (this.#parts.unitLength && square > 0) {
      const factor = 1 / Math.sqrt(square);
      for (let j = 0; j < z.length; j++) z[j] *= factor;
    }
    return square;
  }

  #addAffine(scores: Float64Array, square: number): void {
    const { quadratic, bias } = this.#parts;
    if (quadratic !== null) for (let c = 0; c < scores.length; c++) scores[c] += quadratic[c] * square;
    if (bias !== null) for (let c = 0; c < scores.length; c++) scores[c] += bias[c];
  }
}

/** The `count` largest scores, the smaller id first among equals. */
export function best(scores: Float64Array, count: number): Ranking {
  const ids: number[] = [];
  for (let id = 0; id < scores.length; id++) {
    if (ids.length === count && scores[id] <= scores[ids[count - 1]]) continue;
    let at = Math.min(ids.length, count - 1);
    while (at > 0 && scores[ids[at - 1]] < scores[id]) {
      ids[at] = ids[at - 1];
      at--;
    }
    ids[at] = id;
  }
  return { ids, scores: ids.map((id) => scores[id]) };
}
