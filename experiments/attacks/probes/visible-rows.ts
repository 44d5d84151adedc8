import { forwardPass } from "../../../layers/forward-pass.ts";
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
  const embedded = await engine.embed(
    positions.map((position) => known.get(position)!),
    positions,
  );
  const { width } = engine.spec;
  let layer = 0;
  for await (const { data } of forwardPass(engine, embedded, positions, { to: Math.max(...layers) })) {
    if (layers.includes(layer))
      found.set(
        layer,
        new Map(positions.map((position, row) => [position, data.subarray(row * width, (row + 1) * width)])),
      );
    layer++;
  }
  return found;
}
