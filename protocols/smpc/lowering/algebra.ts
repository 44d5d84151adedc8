import type { Algebra } from "../../../layers/program.ts";
import { lowerActivation, lowerProduct, lowerSoftCap } from "./activation.ts";
import type { Lowered, Lowering } from "./lowering.ts";
import { lowerLayerNorm, lowerRmsNorm } from "./norm.ts";

/**
 * The reading of a block program that writes an SMPC plan: every operation of the algebra becomes gates.
 * Embeddings are looked up by the client, who knows the ids; under SMPC a lookup is an error.
 */
export function loweringAlgebra(at: Lowering): Algebra<Lowered> {
  const lookup = (): never => {
    throw new Error("embedding: expected at the client, got a lookup under SMPC");
  };
  return {
    lookupTokens: lookup,
    lookupPositions: lookup,
    addTableRow: lookup,
    linear: (x, weight, bias) => at.linear(x, weight, bias, false),
    unembed: (x, table, bias) => at.linear(x, table, bias, true),
    add: (x, y) => at.add(x, y),
    multiply: (x, y) => lowerProduct(at, x, y),
    scale: (x, factor) => ({ ...x, factor: x.factor * factor }),
    softCap: (x, cap) => lowerSoftCap(at, x, cap),
    activate: (x, kind) => lowerActivation(at, x, kind),
    layerNorm: (x, gain, bias, epsilon) => lowerLayerNorm(at, x, gain, bias, epsilon),
    rmsNorm: (x, gain, epsilon, width) => lowerRmsNorm(at, x, gain, epsilon, width),
    rotate(x, { inverseFrequencies }, headDim) {
      // A factor commutes with the rotation and stays pending; a gain doesn't.
      const id = x.gain === null && x.bias === null ? x.id : at.settle({ ...x, factor: 1 });
      const { rows, columns, fracBits } = at.builder.info(id);
      const { rotaryFracBits: tableFracBits } = at.precision;
      const out = at.builder.share(rows, columns, fracBits + tableFracBits);
      const { firstPosition } = at;
      at.builder.emit({
        gate: "rotate",
        x: id,
        out,
        headDim,
        inverseFrequencies,
        firstPosition,
        factor: 1,
        tableFracBits,
      });
      return { ...at.value(out), factor: x.factor };
    },
  };
}
