/**
 * Ridge regression of token one-hots, or of token embeddings, on rows, in closed form from class statistics: with centred rows X and
 * targets Y, (XᵀX + λ diag(XᵀX))⁻¹ XᵀY. The penalty is by the diagonal, so that it doesn't depend on the scale of single features.
 */
import type { Float64Product } from "../../../layers/onnx/float64-product.ts";
import type { ClassStatistics } from "./class-statistics.ts";
import { LinearProbe } from "./linear-probe.ts";
import { whitening } from "./whitening.ts";

export interface RidgeOptions {
  /** λ: what is added to the diagonal of the Gram matrix, as a share of it. */
  readonly penalty: number;
  /** [classes, d]: regress on these and choose the token of the nearest one by cosine; null: regress on one-hots. */
  readonly embeddings: { readonly data: Float32Array; readonly width: number } | null;
}

/** The regression of `statistics`' classes on its rows. */
export async function ridgeProbe(
  product: Float64Product,
  statistics: ClassStatistics,
  { penalty, embeddings }: RidgeOptions,
): Promise<LinearProbe> {
  const { width, classes, rows, gram, mean } = statistics;
  const centred = new Float64Array(width * width);
  for (let i = 0; i < width; i++)
    for (let j = 0; j < width; j++)
      centred[i * width + j] = (gram[i * width + j] - rows * mean[i] * mean[j]) * (i === j ? 1 + penalty : 1);
  const t = whitening(centred, width);
  if (embeddings === null) {
    // Weights of token c are T Tᵀ times its centred sum: T is the probe's transform, Tᵀ is folded into its weights.
    // Tokens without rows have the constant 0.
    const weighted = statistics.seen;
    const sums = new Float64Array(weighted.length * width);
    weighted.forEach((c, at) => {
      for (let i = 0; i < width; i++) sums[at * width + i] = statistics.sums[c]![i] - statistics.counts[c] * mean[i];
    });
    const weights = await product.times(sums, width, { data: t, shape: [width, width], transposed: false });
    const bias = Float64Array.from(statistics.counts, (count) => count / rows);
    return new LinearProbe({
      name: "ridge-one-hot",
      width,
      center: mean,
      transform: t,
      unitLength: false,
      weighted,
      weights,
      quadratic: null,
      bias,
    });
  }
  // Cosines are taken of embeddings less their mean over the training tokens.
  const target = new Float64Array(embeddings.width);
  statistics.counts.forEach((count, c) => {
    if (count > 0)
      for (let j = 0; j < target.length; j++) target[j] += (count / rows) * embeddings.data[c * target.length + j];
  });
  const cross = new Float64Array(width * target.length); // Σ (x - mean)(e - mean)ᵀ
  statistics.sums.forEach((sum, c) => {
    if (sum === undefined) return;
    for (let i = 0; i < width; i++) {
      const x = sum[i] - statistics.counts[c] * mean[i];
      for (let j = 0; j < target.length; j++)
        cross[i * target.length + j] += x * (embeddings.data[c * target.length + j] - target[j]);
    }
  });
  const square = [width, width] as const;
  const inverse = await product.times(t, width, { data: t, shape: square, transposed: true });
  const transform = await product.times(inverse, width, {
    data: cross,
    shape: [width, target.length],
    transposed: false,
  });
  const weights = new Float64Array(classes * target.length);
  for (let c = 0; c < classes; c++) {
    const at = c * target.length;
    let length = 0;
    for (let j = 0; j < target.length; j++) {
      weights[at + j] = embeddings.data[at + j] - target[j];
      length += weights[at + j] ** 2;
    }
    for (let j = 0; j < target.length; j++) weights[at + j] /= Math.sqrt(length) || 1;
  }
  return new LinearProbe({
    name: "ridge-embedding",
    width,
    center: mean,
    transform,
    unitLength: true,
    weighted: null,
    weights,
    quadratic: null,
    bias: null,
  });
}
