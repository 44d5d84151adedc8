import type { StageEngine } from "../../../layers/stage-engine.ts";
import type { PublicKnowledge } from "../../lab/attack.ts";
import { pageLogits } from "../matching/layer-zero-dictionary.ts";
import type { PartialResult, RecordedView } from "../../lab/views/recorded-view.ts";
import type { OwnRows } from "./own-rows.ts";
import type { SumObservation } from "./sum-observation.ts";

/**
 * What a CompNode saw of a layer's attention: per own query row and key shard where partial results came (`shards`), or per own row over
 * all keys (`merged`), as after a masked merge. Rows that see their own shard alone say nothing and are left out.
 */
export function observationsOf(
  view: RecordedView,
  { engine, schedule }: PublicKnowledge,
  { queries, pages }: OwnRows,
  kind: "shards" | "merged",
  layer: number,
): SumObservation[] {
  const { heads, headDim, window } = engine.attention(layer);
  const seenBy = (t: number): number[] => {
    const from = window === null ? 0 : Math.max(0, t - window + 1);
    return Array.from({ length: t + 1 - from }, (_, at) => from + at);
  };
  const observations: SumObservation[] = [];
  if (kind === "merged") {
    for (const [position, output] of view.rows("attended", layer)) {
      const q = queries.get(position);
      const keys = seenBy(position);
      if (q === undefined || keys.every((s) => pages.has(s))) continue;
      const outputs = Float64Array.from(output);
      observations.push({
        position,
        q,
        keys,
        output: outputs,
        origin: outputs,
        maximum: null,
        total: null,
        reference: pageLogits(engine, q, pages.get(position)!), // [heads, 1]
      });
    }
  } else
    for (const partial of view.partials(layer, heads, headDim))
      partial.positions.forEach((position, row) => {
        const keys = seenBy(position).filter((s) => schedule.s.owner(s) === partial.k);
        const q = queries.get(position);
        if (q === undefined || keys.every((s) => pages.has(s))) return;
        observations.push(partialObservation(position, q, keys, partial, row, engine));
      });
  return observations.sort((a, b) => a.position - b.position);
}

function partialObservation(
  position: number,
  q: Float32Array,
  keys: readonly number[],
  { u, m, e }: PartialResult,
  row: number,
  engine: StageEngine,
): SumObservation {
  const { heads, headDim } = engine.attention(0);
  const width = heads * headDim;
  const maximum = Float64Array.from({ length: heads }, (_, h) => m[row * heads + h]);
  const total = Float64Array.from({ length: heads }, (_, h) => e[row * heads + h]);
  const output = Float64Array.from({ length: width }, (_, at) => u[row * width + at] / total[Math.floor(at / headDim)]);
  return { position, q, keys, output, origin: output, maximum, total, reference: maximum };
}
