/** Rows through the layers of an engine, stage by stage: the one way in which a party that holds all the rows it needs computes on. */
import type { Projections } from "./program.ts";
import type { PartialAttention, StageEngine } from "./stage-engine.ts";
import type { Tensor } from "./tensor.ts";

/** How rows attend in a layer: from their projections to the attention output [rows, heads·headDim]. */
export type Attend = (layer: number, projections: Projections<Tensor>) => Promise<Tensor>;

/** One layer: x [rows, d] of rows at `positions` to x of the next layer [rows, d]. Throws what the engine or `attend` throws. */
export async function throughLayer(
  engine: StageEngine,
  layer: number,
  x: Tensor,
  positions: readonly number[],
  attend: Attend,
): Promise<Tensor> {
  const projections = await engine.pre(layer, x, positions);
  return engine.post(layer, x, await attend(layer, projections));
}

/**
 * Yields x [rows, d] at the input of every layer from `from` to `to`, both included (the number of layers: after the last one); each
 * layer is computed when its rows are asked for. Rows attend to one another unless `attend` says otherwise.
 */
export async function* forwardPass(
  engine: StageEngine,
  x: Tensor,
  positions: readonly number[],
  {
    from = 0,
    to = engine.spec.layers,
    attend = amongThemselves(engine, positions),
  }: { readonly from?: number; readonly to?: number; readonly attend?: Attend } = {},
): AsyncGenerator<Tensor> {
  yield x;
  for (let layer = from; layer < to; layer++) yield (x = await throughLayer(engine, layer, x, positions, attend));
}

/** Every row attends to the rows at `positions` that its mask lets it see, itself included. */
function amongThemselves(engine: StageEngine, positions: readonly number[]): Attend {
  return async (layer, { q, k, v }) => attentionOutput(await engine.attend(layer, q, positions, k, v, positions));
}

/** u / e, [rows, heads·headDim]: the attention output that a partial result over all visible keys stands for; NaN for a row that sees none. */
export function attentionOutput({ u, e }: Pick<PartialAttention, "u" | "e">): Tensor {
  const data = u.data.slice();
  const headDim = data.length / e.data.length;
  for (let slot = 0, i = 0; slot < e.data.length; slot++)
    for (const end = (slot + 1) * headDim; i < end; i++) data[i] /= e.data[slot];
  return { data, shape: u.shape };
}
