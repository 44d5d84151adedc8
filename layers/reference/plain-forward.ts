import type { Model } from "../model.ts";
import type { Tensor } from "../tensor.ts";
import { referenceAlgebra } from "./algebra.ts";
import { parameterReader } from "./engine.ts";
import { tensorOf } from "./matrix.ts";
import { plainLayer } from "./plain-layer.ts";

/** What an unsharded pass gives, in the terms of transformers' `output_hidden_states`. */
export interface PlainResult {
  /** hidden[0] [rows, d] is the embedding, hidden[l] the rows after block l; the last one has had the final norm. */
  readonly hidden: readonly Tensor<Float64Array>[];
  /** [rows, vocabulary], null for an encoder */
  readonly logits: Tensor<Float64Array> | null;
}

/**
 * The whole model on one sequence at positions 0, 1, ..., in float64 with ordinary softmax attention: neither partial attention
 * nor a merge is in it, so it is what those are tested against.
 */
export async function plainForward(model: Model, ids: readonly number[]): Promise<PlainResult> {
  const { spec, program } = model;
  const positions = ids.map((_, t) => t);
  const reader = parameterReader(model);
  const algebra = referenceAlgebra(reader.parameter, { ids, positions });
  await reader.load((a) => program.embed(a, spec));
  let x = program.embed(algebra, spec); // [rows, d]
  const hidden = [tensorOf(x)];
  for (let layer = 0; layer < spec.layers; layer++) {
    await reader.load((a) => [program.pre(a, spec, layer, null), program.post(a, spec, layer, null, null)]);
    x = plainLayer(model, algebra, layer, x, positions);
    hidden.push(tensorOf(x));
  }
  const { logits } = program;
  await reader.load((a) => [program.finish(a, spec, null), logits?.(a, spec, null)]);
  const finished = program.finish(algebra, spec, x);
  hidden[spec.layers] = tensorOf(finished);
  return { hidden, logits: logits === null ? null : tensorOf(logits(algebra, spec, finished)) };
}
