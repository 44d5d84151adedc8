import type { PartialAttention, StageEngine } from "../../layers/stage-engine.ts";
import type { Tensor } from "../../layers/tensor.ts";

/** u / e: the attention that a partial result over all visible keys stands for, [rows, heads·headDim] */
export function normalised({ u, e }: PartialAttention): Tensor {
  const [rows, heads] = e.shape;
  const headDim = u.shape[1] / heads;
  const data = u.data.slice();
  for (let i = 0; i < rows * heads; i++) for (let j = 0; j < headDim; j++) data[i * headDim + j] /= e.data[i];
  return { data, shape: u.shape };
}

/** The whole model stage by stage on one engine, as one party that holds every row; hidden states as transformers counts them. */
export async function stagedPass(
  engine: StageEngine,
  ids: readonly number[],
): Promise<{ hidden: Tensor[]; logits: Tensor | null }> {
  const positions = ids.map((_, t) => t);
  let x = await engine.embed(ids, positions);
  const hidden = [x];
  for (let layer = 0; layer < engine.spec.layers; layer++) {
    const { q, k, v } = await engine.pre(layer, x, positions);
    const attended = normalised(await engine.attend(layer, q, positions, k, v, positions));
    x = await engine.post(layer, x, attended);
    hidden.push(x);
  }
  const { finished, logits } = await engine.head(x);
  hidden[engine.spec.layers] = finished;
  return { hidden, logits };
}
