import type { StageEngine } from "../../../layers/stage-engine.ts";
import type { PublicKnowledge } from "../attack.ts";
import { LayerZeroDictionary, pageLogits } from "../forward/layer-zero-dictionary.ts";
import type { RecordedView } from "../views/recorded-view.ts";
import type { SumObservation } from "./sum-observation.ts";

/**
 * What a CompNode with its tokens in the clear saw of layer 0: per own query row and key shard where partial results came (`shards`),
 * or per own row over all keys (`merged`), as after a masked merge. Rows that see their own shard alone say nothing and are left out.
 */
export async function observationsOf(
  view: RecordedView,
  known: PublicKnowledge,
  kind: "shards" | "merged",
): Promise<SumObservation[]> {
  const { engine, schedule, description } = known;
  const wire = description.wire === "float16" ? "float16" : "float32";
  const dictionary = new LayerZeroDictionary(engine, wire);
  const ids = view.ids();
  const own = [...ids.keys()].sort((a, b) => a - b);
  if (own.length === 0) return [];
  const { heads, headDim, window } = engine.attention(0);
  const width = heads * headDim;
  const q = await dictionary.queries(
    own.map((t) => ids.get(t)!),
    own,
  ); // [own, heads·headDim]
  const queryOf = new Map(own.map((t, row) => [t, q.subarray(row * width, (row + 1) * width)]));
  const seenBy = (t: number): number[] => {
    const from = window === null ? 0 : Math.max(0, t - window + 1);
    return Array.from({ length: t + 1 - from }, (_, at) => from + at);
  };
  if (kind === "merged") {
    const observations: SumObservation[] = [];
    for (const [position, output] of view.rows("attended", 0)) {
      const query = queryOf.get(position);
      const keys = seenBy(position);
      if (query === undefined || keys.every((s) => ids.has(s))) continue;
      const page = await dictionary.page(position, [ids.get(position)!]);
      const reference = pageLogits(engine, query, page); // [heads, 1]
      observations.push({
        position,
        q: query,
        keys,
        output: Float64Array.from(output),
        maximum: null,
        total: null,
        reference,
      });
    }
    return observations.sort((a, b) => a.position - b.position);
  }
  return view
    .partials(0, heads, headDim)
    .flatMap((partial) =>
      partial.positions.flatMap((position, row): SumObservation[] => {
        const keys = seenBy(position).filter((s) => schedule.s.owner(s) === partial.k);
        const query = queryOf.get(position);
        if (query === undefined || keys.every((s) => ids.has(s))) return [];
        return [partialObservation(position, query, keys, partial, row, engine)];
      }),
    )
    .sort((a, b) => a.position - b.position);
}

function partialObservation(
  position: number,
  q: Float32Array,
  keys: readonly number[],
  { u, m, e }: { readonly u: ArrayLike<number>; readonly m: ArrayLike<number>; readonly e: ArrayLike<number> },
  row: number,
  engine: StageEngine,
): SumObservation {
  const { heads, headDim } = engine.attention(0);
  const width = heads * headDim;
  const maximum = Float64Array.from({ length: heads }, (_, h) => m[row * heads + h]);
  const total = Float64Array.from({ length: heads }, (_, h) => e[row * heads + h]);
  const output = Float64Array.from({ length: width }, (_, at) => u[row * width + at] / total[Math.floor(at / headDim)]);
  return { position, q, keys, output, maximum, total, reference: maximum };
}
