import type { PublicPrefix } from "../../../layers/prefix/public-prefix.ts";
import type { ParameterSource } from "./parameter-source.ts";

/** Names of the vectors that a public prefix adds to the parameters of a layer. */
export interface PrefixVectors {
  /** Keys and values [prefix, kvHeads * headDim]. */
  readonly k: string;
  readonly v: string;
  /** Key 0 [kvHeads * headDim], and all keys less it. */
  readonly pivot: string;
  readonly pivoted: string;
}

export const prefixVectors = (layer: number): PrefixVectors => ({
  k: `layers.${layer}.prefix.k`,
  v: `layers.${layer}.prefix.v`,
  pivot: `layers.${layer}.prefix.pivot`,
  pivoted: `layers.${layer}.prefix.pivoted`,
});

/** The vectors of some layers, in float32: everybody who has the same keys and values has the same bits. */
export async function readPrefixVectors(
  prefix: PublicPrefix,
  layers: readonly number[],
): Promise<Map<string, ReturnType<ParameterSource>>> {
  const vectors = new Map<string, ReturnType<ParameterSource>>();
  for (const layer of layers) {
    const names = prefixVectors(layer);
    const { k, v } = await prefix.layer(layer);
    const [rows, columns] = k.shape;
    const first = k.data.subarray(0, columns);
    const add = (name: string, data: Float32Array, height: number): void =>
      void vectors.set(name, { data, shape: [height, columns] });
    add(names.k, Float32Array.from(k.data), rows);
    add(names.v, Float32Array.from(v.data), rows);
    add(names.pivot, Float32Array.from(first), 1);
    add(
      names.pivoted,
      Float32Array.from(k.data, (value, at) => value - first[at % columns]),
      rows,
    );
  }
  return vectors;
}
