import { forwardPass } from "../../layers/forward-pass.ts";
import type { StageEngine } from "../../layers/stage-engine.ts";
import type { Tensor } from "../../layers/tensor.ts";

/** The whole model stage by stage on one engine, as one party that holds every row; hidden states as transformers counts them. */
export async function stagedPass(
  engine: StageEngine,
  ids: readonly number[],
): Promise<{ hidden: Tensor[]; logits: Tensor | null }> {
  const positions = ids.map((_, t) => t);
  const hidden: Tensor[] = [];
  for await (const x of forwardPass(engine, await engine.embed(ids, positions), positions)) hidden.push(x);
  const { finished, logits } = await engine.head(hidden[engine.spec.layers]);
  hidden[engine.spec.layers] = finished;
  return { hidden, logits };
}
