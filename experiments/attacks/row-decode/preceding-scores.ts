import type { StageEngine } from "../../../layers/stage-engine.ts";
import { visibleRows } from "../probes/visible-rows.ts";
import type { PrecedingNetwork } from "./preceding-network.ts";

/**
 * What the tokens of unknown positions gain by the next observed row behind each, in nats a token [vocabulary]: one row for all of a gap,
 * and no other. Positions that are further from it than the network's places, or have no row behind them, are absent. `known`: tokens of
 * the observed rows' own positions.
 */
export async function precedingScores(
  network: PrecedingNetwork,
  engine: StageEngine,
  layer: number,
  rows: ReadonlyMap<number, Float32Array | Float64Array>,
  known: ReadonlyMap<number, number>,
): Promise<Map<number, Float32Array>> {
  const { width, places, vocabulary } = network;
  const positions = [...rows.keys()].filter((position) => known.has(position)).sort((a, b) => a - b);
  const found = new Map<number, Float32Array>();
  if (positions.length === 0) return found;
  const observed = new Float32Array(positions.length * width);
  const alone = new Float32Array(positions.length * width);
  for (const [at, position] of positions.entries()) {
    observed.set(rows.get(position)!, at * width);
    const own = await visibleRows(engine, new Map([[position, known.get(position)!]]), [layer]);
    alone.set(own.get(layer)!.get(position)!, at * width);
  }
  const scores = await network.scores(observed, alone);
  for (const [at, position] of positions.entries())
    for (let place = 1; place <= places; place++) {
      const before = position - place;
      if (before < 0 || known.has(before)) break;
      const from = (at * places + place - 1) * vocabulary;
      found.set(before, scores.subarray(from, from + vocabulary));
    }
  return found;
}
