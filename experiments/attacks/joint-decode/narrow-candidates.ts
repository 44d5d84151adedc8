/** Candidates that are worth a swap: the likeliest of each place under the additive model, all other places undecided. */
import type { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { whitening } from "../probes/whitening.ts";
import type { AdditiveModel, PlaceCandidates } from "./additive-model.ts";
import type { PlaceSpread } from "./beam-decode.ts";

/** The `most` likeliest candidates of each place, and those `named`. */
export async function narrowed(
  product: Float64Product,
  { base, places }: AdditiveModel,
  spreads: readonly PlaceSpread[],
  noise: Float64Array,
  observed: Float64Array,
  most: number,
  named: readonly ReadonlySet<number>[],
): Promise<PlaceCandidates[]> {
  const width = observed.length;
  const out: PlaceCandidates[] = [];
  for (const [place, { tokens, prior, effects }] of places.entries()) {
    if (tokens.length <= most) {
      out.push({ tokens, prior });
      continue;
    }
    const covariance = noise.slice();
    const left = Float64Array.from(observed, (value, i) => value - base[i]);
    spreads.forEach((spread, other) => {
      if (other === place) return;
      for (let i = 0; i < covariance.length; i++) covariance[i] += spread.covariance[i];
      for (let i = 0; i < width; i++) left[i] -= spread.mean[i];
    });
    const off = Float64Array.from(effects, (value, at) => left[at % width] - value);
    const right = { data: whitening(covariance, width), shape: [width, width], transposed: false } as const;
    const white = await product.times(off, width, right);
    const scores = Float64Array.from(tokens, (token, row) => {
      if (named[place].has(token)) return Infinity;
      let sum = 0;
      for (let at = row * width; at < (row + 1) * width; at++) sum += white[at] * white[at];
      return Math.log(prior[row]) - sum / 2;
    });
    const order = [...tokens.keys()].sort((a, b) => scores[b] - scores[a]).slice(0, most);
    const total = order.reduce((sum, row) => sum + prior[row], 0);
    out.push({ tokens: order.map((row) => tokens[row]), prior: Float64Array.from(order, (row) => prior[row] / total) });
  }
  return out;
}
