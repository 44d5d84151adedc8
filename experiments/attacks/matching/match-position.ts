/** One step of matching by rows: candidates of one position are run until one's row fits. */
import type { PrefixForward } from "./prefix-forward.ts";
import type { RowMeasure } from "./row-measure.ts";

/** What a step looks at and may spend. */
export interface PositionMatch {
  readonly forward: PrefixForward;
  readonly layer: number;
  readonly measure: RowMeasure;
  /** Ids in the order in which they are tried. */
  readonly proposals: Uint32Array;
  /** Observed rows that may be the position's: one, or all that are left where their order is unknown. */
  readonly rows: ReadonlyMap<number, Float32Array | Float64Array>;
  /** Distance that ends the search. */
  readonly epsilon: number;
  /** Passes that `forward` may have made in all. */
  readonly budget: number;
  /** Candidates of the first batch; later ones double up to the largest. */
  readonly firstBatch: number;
  readonly largestBatch: number;
  /** Guesses after the first, by distance. */
  readonly extraGuesses: number;
}

/** Runs candidates in their order until one lies within epsilon of one of the rows; else the nearest of all. */
export async function matchPosition(match: PositionMatch): Promise<{ ids: number[]; distance: number; row: number }> {
  const { forward, layer, measure, proposals, rows, epsilon, budget, firstBatch, largestBatch, extraGuesses } = match;
  const nearest: { id: number; distance: number; row: number }[] = [];
  for (let from = 0, size = firstBatch; from < proposals.length; size = Math.min(2 * size, largestBatch)) {
    const ids = [...proposals.subarray(from, from + Math.min(size, Math.max(1, budget - forward.passes)))];
    from += ids.length;
    const batch = await forward.run(
      ids.map(() => []),
      ids,
      layer,
    );
    const best = ids.map((id) => ({ id, distance: Infinity, row: -1 }));
    for (const [row, observed] of rows)
      measure.distances(batch.rows, observed).forEach((distance, at) => {
        if (distance < best[at].distance) best[at] = { id: ids[at], distance, row };
      });
    nearest.push(...best);
    nearest.sort((a, b) => a.distance - b.distance);
    nearest.length = Math.min(nearest.length, 1 + extraGuesses);
    if (nearest[0].distance <= epsilon || forward.passes >= budget) break;
  }
  return { ids: nearest.map(({ id }) => id), distance: nearest[0].distance, row: nearest[0].row };
}
