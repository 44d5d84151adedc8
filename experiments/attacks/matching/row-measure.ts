/** How far candidates' rows lie from an observed one. */
import type { FloatArray, Tensor } from "../../../layers/tensor.ts";

export interface RowMeasure {
  /** rows [candidates, d], observed [d] -> [candidates] */
  distances(rows: Tensor, observed: ArrayLike<number>): Float64Array;
  /** Factor of each feature, [d]; null where features count alike, or have no order. */
  readonly weights: Float64Array | null;
}

/** Mean absolute difference a feature, each feature divided by its scale [d]; without scales the L1 distance over d. */
export function scaledL1(scales: Float64Array | null): RowMeasure {
  const weights = scales?.map((scale) => 1 / scale) ?? null;
  return {
    weights,
    distances({ data, shape: [candidates, width] }, observed) {
      const target = Float64Array.from(observed);
      const weight = weights ?? new Float64Array(width).fill(1);
      return Float64Array.from({ length: candidates }, (_, row) => weightedL1(data, row * width, target, weight));
    },
  };
}

/** L1 of the sorted features: blind to a permutation of the hidden dimension (arXiv 2505.18332). */
export const sortedL1: RowMeasure = {
  weights: null,
  distances({ data, shape: [candidates, width] }, observed) {
    const target = Float64Array.from(observed).sort();
    const weight = new Float64Array(width).fill(1);
    return Float64Array.from({ length: candidates }, (_, row) =>
      weightedL1(data.slice(row * width, (row + 1) * width).sort(), 0, target, weight),
    );
  },
};

function weightedL1(data: FloatArray, at: number, target: Float64Array, weight: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < target.length; i++) sum += Math.abs(data[at + i] - target[i]) * weight[i];
  return sum / target.length;
}
