/**
 * Class means with pooled covariance (linear discriminant analysis, Fisher 1936), in closed form, over a whole vocabulary.
 *
 * Rows of token c are taken as normal around a mean m_c with one covariance S for all tokens. m_c itself is normal around a prior row
 * (the token after fixed texts, moved by the mean difference over tokens with data) with covariance S / k. So the mean is shrunk,
 * (n mean + k prior) / (n + k), and a new row varies around it by S (1 + 1 / (n + k)): tokens that never occurred compete fairly.
 * k is estimated from the tokens with data (in whitened space, E|mean - prior|² / width = 1/n + 1/k), unless given.
 */
import type { Float64Product } from "../../../layers/onnx/float64-product.ts";
import type { ClassStatistics } from "./class-statistics.ts";
import { LinearProbe } from "./linear-probe.ts";
import { whitening } from "./whitening.ts";

export interface ClassMeansOptions {
  /** k: training rows that a prior row is worth; null: estimated. */
  readonly priorRows: number | null;
  /** Factor on log(token's share of the training text) in the score. */
  readonly frequencyWeight: number;
}

/** Added to the diagonal of the covariance, as a share of the features' variances over all rows. */
const PENALTY = 1e-3;
/** Fewest and most rows that a prior may be worth when estimated. */
const PRIOR_ROWS = [0.05, 100] as const;

/** The means and the covariance, of which probes with different options are made. */
export class ClassMeans {
  readonly #statistics: ClassStatistics;
  /** [width, width] */
  readonly #transform: Float64Array;
  /** Tokens with data, and their means, whitened, about the mean of all rows: [seen, width]. */
  readonly #seen: readonly number[];
  readonly #seenMeans: Float64Array;
  /** Prior rows, whitened, about the mean of all rows and moved onto the means: [classes, width]; null: the mean of all rows. */
  readonly #priors: Float64Array | null;

  private constructor(
    statistics: ClassStatistics,
    transform: Float64Array,
    seen: readonly number[],
    seenMeans: Float64Array,
    priors: Float64Array | null,
  ) {
    this.#statistics = statistics;
    this.#transform = transform;
    this.#seen = seen;
    this.#seenMeans = seenMeans;
    this.#priors = priors;
  }

  /** `priors` [classes, width]: one row a token; null: the mean over all rows for each. Throws RangeError for too few rows. */
  static async fit(
    product: Float64Product,
    statistics: ClassStatistics,
    priors: Float64Array | null,
  ): Promise<ClassMeans> {
    const { width, counts, rows, mean, seen } = statistics;
    const covariance = await statistics.pooledCovariance(product);
    // By the variance of all rows, not of those within classes, which is nothing where rows depend on the token alone (layer 0).
    for (let i = 0; i < width; i++) {
      const variance = statistics.gram[i * width + i] / rows - mean[i] ** 2;
      covariance[i * width + i] += variance > 0 ? PENALTY * variance : 1; // a feature that never varies says nothing
    }
    const transform = whitening(covariance, width);
    const whiten = (data: Float64Array): Promise<Float64Array> =>
      product.times(data, width, { data: transform, shape: [width, width], transposed: false });
    const means = new Float64Array(seen.length * width);
    seen.forEach((c, at) => {
      const sum = statistics.sums[c]!;
      for (let i = 0; i < width; i++) means[at * width + i] = sum[i] / counts[c] - mean[i];
    });
    const seenMeans = await whiten(means);
    if (priors === null) return new ClassMeans(statistics, transform, seen, seenMeans, null);
    const whitened = await whiten(priors.map((value, i) => value - mean[i % width]));
    moveOnto(whitened, seenMeans, seen, counts, width);
    return new ClassMeans(statistics, transform, seen, seenMeans, whitened);
  }

  probe(options: ClassMeansOptions): LinearProbe {
    const { width, classes, counts, rows, mean } = this.#statistics;
    const [priors, seen] = [this.#priors, this.#seen];
    const k = options.priorRows ?? estimatePriorRows(priors, this.#seenMeans, seen, counts, width);
    const weighted = priors === null ? seen : null;
    const weights = priors === null ? new Float64Array(seen.length * width) : priors.slice();
    seen.forEach((c, at) => {
      const [n, to] = [counts[c], (weighted === null ? c : at) * width];
      for (let i = 0; i < width; i++)
        weights[to + i] = (n * this.#seenMeans[at * width + i] + k * weights[to + i]) / (n + k);
    });
    // log N(z; m, v I) = -|z - m|² / 2v - width/2 log v, with v = 1 + 1 / (n + k)
    const quadratic = new Float64Array(classes);
    const bias = new Float64Array(classes);
    for (let c = 0; c < classes; c++) {
      const v = 1 + 1 / (counts[c] + k);
      quadratic[c] = -0.5 / v;
      const share = (counts[c] + 0.5) / (rows + 0.5 * classes);
      bias[c] = (-width / 2) * Math.log(v) + options.frequencyWeight * Math.log(share);
    }
    for (let at = 0; at < weights.length / width; at++) {
      const c = weighted === null ? at : weighted[at];
      const v = 1 + 1 / (counts[c] + k);
      let square = 0;
      for (let i = at * width; i < (at + 1) * width; i++) {
        square += weights[i] ** 2;
        weights[i] /= v;
      }
      bias[c] -= (0.5 * square) / v;
    }
    return new LinearProbe({
      name: "class-means",
      width,
      center: mean,
      transform: this.#transform,
      unitLength: false,
      weighted,
      weights,
      quadratic,
      bias,
    });
  }
}

/** Moves all prior rows by the mean difference to the means of tokens with data, each weighted by n / (n + 1). */
function moveOnto(
  priors: Float64Array,
  seenMeans: Float64Array,
  seen: readonly number[],
  counts: Int32Array,
  width: number,
): void {
  const shift = new Float64Array(width);
  let total = 0;
  seen.forEach((c, at) => {
    const weight = counts[c] / (counts[c] + 1);
    total += weight;
    for (let i = 0; i < width; i++) shift[i] += weight * (seenMeans[at * width + i] - priors[c * width + i]);
  });
  for (let at = 0; at < priors.length; at++) priors[at] += shift[at % width] / total;
}

function estimatePriorRows(
  priors: Float64Array | null,
  seenMeans: Float64Array,
  seen: readonly number[],
  counts: Int32Array,
  width: number,
): number {
  let [sum, total] = [0, 0];
  seen.forEach((c, at) => {
    const weight = counts[c] / (counts[c] + 1);
    let square = 0;
    for (let i = 0; i < width; i++) square += (seenMeans[at * width + i] - (priors?.[c * width + i] ?? 0)) ** 2;
    sum += weight * (square / width - 1 / counts[c]);
    total += weight;
  });
  const [least, most] = PRIOR_ROWS;
  return sum <= 0 ? most : Math.min(most, Math.max(least, total / sum));
}
