import type { StageEngine } from "../../../layers/stage-engine.ts";
import { visibleRows, type LayerRows } from "../probes/visible-rows.ts";

/** Observed rows of known positions less the rows that the known tokens alone would give: what the hidden tokens put into them. */
export async function rowDifferences(
  rows: LayerRows,
  known: ReadonlyMap<number, number>,
  engine: StageEngine,
  layers: readonly number[],
): Promise<LayerRows> {
  if ([...rows.values()].every(({ size }) => size === 0)) return new Map();
  const alone = await visibleRows(engine, known, layers);
  return new Map(
    [...rows].map(([layer, observed]) => {
      const expected = alone.get(layer)!;
      const both = [...observed].filter(([position]) => known.has(position));
      return [
        layer,
        new Map(
          both.map(([position, row]) => [position, Float32Array.from(row, (x, i) => x - expected.get(position)![i])]),
        ),
      ];
    }),
  );
}
