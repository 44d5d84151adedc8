/** Generation: prompt in, tokens out one by one, over an open session. */
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { sampleToken, type SamplingRule } from "../../../layers/sampling.ts";
import { takeRows, type FloatArray, type Tensor } from "../../../layers/tensor.ts";
import type { ClientSession } from "./client.ts";

/**
 * Yields the generated token ids as they come; ends after a stop token (which is yielded) or the session's `maxNewTokens`.
 *
 * `head` computes logits at the client; it is not used where the session's LM head is at the CompNode.
 */
export async function* generate(
  session: ClientSession,
  head: StageEngine | null,
  promptIds: readonly number[],
  rule: SamplingRule,
  stopTokens: ReadonlySet<number>,
): AsyncGenerator<number> {
  let ids = promptIds;
  for (let step = 0; step < session.description.maxNewTokens; step++) {
    const result = await session.step(step, ids);
    const token = "token" in result ? result.token : sampleToken(await lastLogits(head, result), rule, step);
    yield token;
    if (stopTokens.has(token)) return;
    ids = [token];
  }
}

/** Logits [vocabulary] of the last row. Throws where there is no LM head at the client. */
async function lastLogits(
  head: StageEngine | null,
  { rows, logits: shared }: { readonly rows: Tensor; readonly logits: Tensor | null },
): Promise<FloatArray> {
  if (shared !== null) return shared.data.subarray(-shared.shape[1]);
  const logits = head === null ? null : (await head.head(takeRows(rows, [rows.shape[0] - 1]))).logits;
  if (logits === null)
    throw new Error("generation: expected a model with an LM head, got an encoder; use a decoder, or ask for its rows");
  return logits.data;
}
