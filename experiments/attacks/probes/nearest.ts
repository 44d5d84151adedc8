/**
 * Nearest neighbour over the vocabulary: the token whose reference row lies nearest to the row, by L2 distance or cosine. What a probe
 * without training data does; it sees only the few directions in which rows vary most.
 */
import { LinearProbe } from "./linear-probe.ts";

/** `references` [classes, width]: one row a token. */
export function nearestProbe(distance: "l2" | "cosine", references: Float64Array, width: number): LinearProbe {
  const classes = references.length / width;
  const weights = new Float64Array(references.length);
  const bias = distance === "l2" ? new Float64Array(classes) : null;
  for (let c = 0; c < classes; c++) {
    let square = 0;
    for (let i = c * width; i < (c + 1) * width; i++) square += references[i] ** 2;
    // -|x - r|² = 2 r·x - |r|² - |x|², and |x|² is the same for all tokens.
    const factor = distance === "l2" ? 2 : square === 0 ? 0 : 1 / Math.sqrt(square);
    for (let i = c * width; i < (c + 1) * width; i++) weights[i] = factor * references[i];
    if (bias !== null) bias[c] = -square;
  }
  return new LinearProbe({
    name: `nearest-${distance}`,
    width,
    center: null,
    transform: null,
    unitLength: distance === "cosine",
    weighted: null,
    weights,
    quadratic: null,
    bias,
  });
}
