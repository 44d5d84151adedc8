import type { StageEngine } from "../../../layers/stage-engine.ts";

/** Layer -> position -> row [d]. */
export type LayerRows = ReadonlyMap<number, ReadonlyMap<number, Float32Array | Float64Array>>;

/**
 * Rows that the known tokens would have if there were no others: the model on them alone, at their own positions. What an observed row
 * has beyond that is what the hidden tokens put into it. `layers`: before which layers; the layer count means after the last one.
 */
export async function visibleRows(
  engine: StageEngine,
  known: ReadonlyMap<number, number>,
  layers: readonly number[],
): Promise<LayerRows> {
  const positions = [...known.keys()].sort((a, b) => a - b);
  const found = new Map<number, ReadonlyMap<number, Float32Array | Float64Array>>();
  if (positions.length === 0) return new Map(layers.map((layer) => [layer, new Map()]));
  let x = await engine.embed(
    positions.map((position) => known.get(position)!),
    positions,
  );
  const { headDim, width } = engine.spec;
  for (let layer = 0; layer <= Math.max(...layers); layer++) {
    const rows = x.data;
    if (layers.includes(layer))
      found.set(
        layer,
        new Map(positions.map((position, row) => [position, rows.subarray(row * width, (row + 1) * width)])),
      );
    if (layer === Math.max(...layers)) break;
    const { q, k, v } = await engine.pre(layer, x, positions);
    const { u, e } = await engine.attend(layer, q, positions, k, v, positions);
    for (let i = 0; i < u.data.length; i++) u.data[i] /= e.data[Math.floor(i / headDim)];
    x = await engine.post(layer, x, u);
  }
  return found;
}
