import type { ModelSpec } from "./model-spec.ts";
import type { AttentionSpec } from "./program.ts";
import type { Tensor, Word } from "./tensor.ts";

/**
 * A model that runs, one stage at a time, on the rows that the caller holds: what a CompNode, an AttnNode, a client and the plain
 * (unsharded) model compute with. The float64 reference and ONNX Runtime both implement it.
 *
 * Positions are global and need not be contiguous or sorted. No method keeps state between calls.
 */
export interface StageEngine {
  readonly spec: ModelSpec;
  readonly word: Word;
  attention(layer: number): AttentionSpec;
  /** ids [rows], positions [rows] -> x [rows, d] */
  embed(ids: readonly number[], positions: readonly number[]): Promise<Tensor>;
  /** x [rows, d] -> q [rows, heads·headDim], k, v [rows, kvHeads·headDim] */
  pre(layer: number, x: Tensor, positions: readonly number[]): Promise<{ q: Tensor; k: Tensor; v: Tensor }>;
  /** Partial attention of the query rows over these keys alone. */
  attend(
    layer: number,
    q: Tensor,
    qPositions: readonly number[],
    k: Tensor,
    v: Tensor,
    kPositions: readonly number[],
  ): Promise<PartialAttention>;
  /** x [rows, d] and the merged attention output [rows, heads·headDim] -> x of the next layer [rows, d] */
  post(layer: number, x: Tensor, attended: Tensor): Promise<Tensor>;
  /** x after the last layer [rows, d] -> final-normed rows [rows, d] and logits [rows, vocabulary] (null for an encoder) */
  head(x: Tensor): Promise<{ finished: Tensor; logits: Tensor | null }>;
  close(): Promise<void>;
}

/** Unnormalised softmax over some keys (arXiv 2507.05228): m = max, e = Σ exp(a - m), u = Σ exp(a - m) v. */
export interface PartialAttention {
  /** [rows, heads·headDim] */
  readonly u: Tensor;
  /** [rows, heads]; -Infinity where the query sees no key */
  readonly m: Tensor;
  /** [rows, heads] */
  readonly e: Tensor;
}
