import type { Float64Product } from "../../../layers/onnx/float64-product.ts";

/** Rows that enter one product: bounds what is held beside the sums. */
const BLOCK_ROWS = 4096;

/** What class means, their pooled covariance and ridge regression need of labelled rows: sums, counts and the Gram matrix. */
export class ClassStatistics {
  readonly width: number;
  readonly classes: number;
  /** Rows of each class. */
  readonly counts: Int32Array;
  /** Σ x over the rows of a class, [width]; absent for a class without rows. */
  readonly sums: (Float64Array | undefined)[];
  /** Σ x xᵀ over all rows, [width, width]. */
  readonly gram: Float64Array;
  #rows = 0;

  constructor(width: number, classes: number) {
    this.width = width;
    this.classes = classes;
    this.counts = new Int32Array(classes);
    this.sums = Array.from({ length: classes });
    this.gram = new Float64Array(width * width);
  }

  /** Rows so far. */
  get rows(): number {
    return this.#rows;
  }

  /** Classes that have rows. */
  get seen(): number[] {
    return Array.from(this.counts.keys()).filter((label) => this.counts[label] > 0);
  }

  /** Mean over all rows, [width]. */
  get mean(): Float64Array {
    const mean = new Float64Array(this.width);
    for (const sum of this.sums) if (sum !== undefined) for (let i = 0; i < mean.length; i++) mean[i] += sum[i];
    return mean.map((value) => value / this.#rows);
  }

  /** Adds rows [n, width]; a row whose label is negative is left out. */
  async add(product: Float64Product, rows: Float32Array, labels: ArrayLike<number>): Promise<void> {
    const { width } = this;
    const kept = Array.from(labels).flatMap((label, row) => (label < 0 ? [] : [row]));
    for (let from = 0; from < kept.length; from += BLOCK_ROWS) {
      const block = kept.slice(from, from + BLOCK_ROWS);
      const turned = new Float64Array(width * block.length); // [width, block]
      block.forEach((row, at) => {
        const sum = (this.sums[labels[row]] ??= new Float64Array(width));
        this.counts[labels[row]]++;
        for (let i = 0; i < width; i++) {
          const value = rows[row * width + i];
          sum[i] += value;
          turned[i * block.length + at] = value;
        }
      });
      await addGram(product, this.gram, turned, block.length, 1);
      this.#rows += block.length;
    }
  }

  /** Covariance within classes, pooled: Σ (x - mean of its class)(...)ᵀ / (rows - classes seen). Throws RangeError for too few rows. */
  async pooledCovariance(product: Float64Product): Promise<Float64Array> {
    const { width } = this;
    const { seen } = this;
    const freedom = this.#rows - seen.length;
    if (freedom < 1)
      throw new RangeError(`pooled covariance: expected more rows than classes, got ${this.#rows} of ${seen.length}`);
    const scatter = this.gram.slice();
    for (let from = 0; from < seen.length; from += BLOCK_ROWS) {
      const block = seen.slice(from, from + BLOCK_ROWS);
      const turned = new Float64Array(width * block.length);
      block.forEach((label, at) => {
        const scale = 1 / Math.sqrt(this.counts[label]); // √n · mean
        for (let i = 0; i < width; i++) turned[i * block.length + at] = this.sums[label]![i] * scale;
      });
      await addGram(product, scatter, turned, block.length, -1);
    }
    return scatter.map((value) => value / freedom);
  }
}

/** into += sign · turned turnedᵀ, with turned [width, block]. */
async function addGram(
  product: Float64Product,
  into: Float64Array,
  turned: Float64Array,
  block: number,
  sign: number,
): Promise<void> {
  const shape = [turned.length / block, block] as const;
  const gram = await product.times(turned, block, { data: turned, shape, transposed: true });
  for (let i = 0; i < into.length; i++) into[i] += sign * gram[i];
}
