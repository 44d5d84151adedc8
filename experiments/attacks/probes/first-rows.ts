/** Tokens of rows at position 0: such a row is a function of its token alone, so the vocabulary's rows there are a table that has it. */
import type { StageEngine } from "../../../layers/stage-engine.ts";
import type { LinearProbe } from "./linear-probe.ts";
import { nearestProbe } from "./nearest.ts";
import type { RowReader } from "./row-kinds.ts";
import { VocabularyWalk } from "./vocabulary-walk.ts";

/** A look-up for each reader's rows at a layer, by L2 distance; one run of the vocabulary through the layers below. */
export async function firstRows(
  engine: StageEngine,
  layer: number,
  readers: readonly RowReader[],
): Promise<LinearProbe[]> {
  const tables = readers.map(({ width }) => new Float64Array(engine.spec.vocabulary * width));
  const walk = await VocabularyWalk.begin(engine, []);
  for (let below = 0; below < layer; below++) await walk.step(below);
  await walk.step(layer, async (batch) => {
    for (const [at, reader] of readers.entries()) tables[at].set(await reader.read(batch), batch.from * reader.width);
  });
  return readers.map(({ width }, at) => nearestProbe("l2", tables[at], width));
}
