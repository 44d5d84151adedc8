/** Covariances of rows, and how large rows are in their units. */
import type { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { whitening } from "../probes/whitening.ts";

/** Share of the covariance that is taken from its diagonal: there are about as many rows as numbers in a row. */
const SHRINK = 0.1;
/** A feature that never varies must not divide by nothing: least variance, as a share of the mean. */
const LEAST = 1e-9;
const REWEIGHTED = 3;
/** Rows far below the median count no more than ones of this share of it. */
const FLOOR = 0.02;

/** Mean of x xᵀ over rows [rows, width], shrunk towards its diagonal. */
export async function secondMoments(product: Float64Product, rows: Float64Array, width: number): Promise<Float64Array> {
  return shrunk(await moments(product, rows, width, null), width);
}

/** Second moments of the bulk of the rows: each row weighs less the larger it is in their own units; scaled so that the median row has size 1. */
export async function robustMoments(product: Float64Product, rows: Float64Array, width: number): Promise<Float64Array> {
  let covariance = await secondMoments(product, rows, width);
  for (let round = 0; round < REWEIGHTED; round++) {
    const sizes = await squaredSizes(product, rows, width, covariance);
    const weights = sizes.map((size) => 1 / (FLOOR + size));
    covariance = shrunk(await moments(product, rows, width, weights), width);
    const median = medianOf(await squaredSizes(product, rows, width, covariance));
    for (let i = 0; i < covariance.length; i++) covariance[i] *= median;
  }
  return covariance;
}

/**
 * Interactions' `noise` with `LEAST` of the variance of all effects on its diagonal: where effects add up all but exactly, as those of one
 * or two tokens do, effects of few candidates would leave a sum of both without full rank. Each [width, width].
 */
export function standingOut(noise: Float64Array, spreads: readonly Float64Array[], width: number): Float64Array {
  const out = noise.slice();
  for (let i = 0; i < out.length; i += width + 1) for (const spread of spreads) out[i] += LEAST * spread[i];
  return out;
}

/** x C⁻¹ xᵀ / width of rows [rows, width]. */
export async function squaredSizes(
  product: Float64Product,
  rows: Float64Array,
  width: number,
  covariance: Float64Array,
): Promise<Float64Array> {
  const right = { data: whitening(covariance, width), shape: [width, width], transposed: false } as const;
  return meanSquares(await product.times(rows, width, right), width);
}

/** Mean square of each of rows [rows, width]. */
export function meanSquares(rows: Float64Array, width: number): Float64Array {
  return Float64Array.from({ length: rows.length / width }, (_, row) => {
    let sum = 0;
    for (let at = row * width; at < (row + 1) * width; at++) sum += rows[at] * rows[at];
    return sum / width;
  });
}

async function moments(
  product: Float64Product,
  rows: Float64Array,
  width: number,
  weights: Float64Array | null,
): Promise<Float64Array> {
  const count = rows.length / width;
  const total = weights === null ? count : weights.reduce((a, b) => a + b, 0);
  const turned = new Float64Array(rows.length);
  for (let row = 0; row < count; row++) {
    const root = Math.sqrt((weights === null ? 1 : weights[row]) / total);
    for (let i = 0; i < width; i++) turned[i * count + row] = rows[row * width + i] * root;
  }
  return product.times(turned, count, { data: turned, shape: [width, count], transposed: true });
}

function shrunk(covariance: Float64Array, width: number): Float64Array {
  let trace = 0;
  for (let i = 0; i < width; i++) trace += covariance[i * width + i];
  const least = Math.max(Number.MIN_VALUE, (LEAST * trace) / width);
  return covariance.map((value, at) => (at % (width + 1) === 0 ? value + least : value * (1 - SHRINK)));
}

function medianOf(values: Float64Array): number {
  const sorted = values.slice().sort();
  return sorted[Math.floor(sorted.length / 2)];
}
