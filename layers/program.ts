/**
 * The block program: what a transformer does, written once per architecture against a small algebra.
 *
 * A *reading* implements `Algebra<V>` for its own kind of value V and gets the whole model by running the program:
 * float64 arrays (layers/reference), nodes of an ONNX graph (layers/onnx), and later shares, correlations, intervals and costs.
 * A program is cut where the Cascade protocol cuts it: embed | pre | (attention) | post | head. The attention between `pre` and
 * `post` is data (`AttentionSpec`), because every reading computes it in its own way.
 *
 * All values are matrices [rows, features]: one row a token of the shard that the reading holds. The reading knows the ids and the
 * *global* positions of its rows.
 */
import type { Activation, ModelSpec, Rope } from "./model-spec.ts";

/** What a reading must be able to do. Parameters are named by their canonical name (see `ParameterSpec`). */
export interface Algebra<V> {
  /** Rows of the table [vocabulary, d] by the token ids of the shard. */
  lookupTokens(table: string): V;
  /** Rows of the table [maxPositions, d] by the global positions of the shard, `offset` added to each position. */
  lookupPositions(table: string, offset: number): V;
  /** x + row `index` of the table [entries, d] on every row (BERT's token type 0). */
  addTableRow(x: V, table: string, index: number): V;
  /** x W + b with W [in, out], b [out] or none. */
  linear(x: V, weight: string, bias: string | null): V;
  /** x Tᵀ with a table T [out, in] (the LM head, tied or not). */
  unembed(x: V, table: string, bias: string | null): V;
  add(x: V, y: V): V;
  /** Elementwise product. */
  multiply(x: V, y: V): V;
  /** x times a public constant. */
  scale(x: V, factor: number): V;
  /** cap · tanh(x / cap) (Gemma 2). */
  softCap(x: V, cap: number): V;
  activate(x: V, kind: Activation): V;
  layerNorm(x: V, gain: string, bias: string, epsilon: number): V;
  /** x / sqrt(mean(x²) + ε) · gain over groups of `width` features (the whole row, or one head for q/k norm); gain is [width]. */
  rmsNorm(x: V, gain: string, epsilon: number, width: number): V;
  /** Rotary embedding (rotate-half form) of every head [headDim] by the global position of the row. */
  rotate(x: V, rope: Rope, headDim: number): V;
}

/** The attention of one layer, the same for every reading. */
export interface AttentionSpec {
  readonly heads: number;
  /** Query head h reads key/value head floor(h · kvHeads / heads). */
  readonly kvHeads: number;
  readonly headDim: number;
  /** Logits are scale · q·k, then soft-capped, then masked. */
  readonly scale: number;
  readonly softCap: number | null;
  readonly causal: boolean;
  /** A query at t sees keys s with t - s < window (and s <= t where causal); null: no window. */
  readonly window: number | null;
}

/** Q [rows, heads · headDim], K and V [rows, kvHeads · headDim]; positions already applied. */
export interface Projections<V> {
  readonly q: V;
  readonly k: V;
  readonly v: V;
}

/** One architecture as functions over any algebra. Stateless. */
export interface BlockProgram {
  /** Token ids and positions to the input of layer 0, [rows, d]. */
  embed<V>(algebra: Algebra<V>, spec: ModelSpec): V;
  pre<V>(algebra: Algebra<V>, spec: ModelSpec, layer: number, x: V): Projections<V>;
  /** `attended` [rows, heads · headDim] is the merged attention output. */
  post<V>(algebra: Algebra<V>, spec: ModelSpec, layer: number, x: V, attended: V): V;
  /** The final norm (identity where the model has none). */
  finish<V>(algebra: Algebra<V>, spec: ModelSpec, x: V): V;
  /** Logits [rows, vocabulary] from finished rows; null for an encoder without a head. */
  logits: (<V>(algebra: Algebra<V>, spec: ModelSpec, x: V) => V) | null;
  attention(spec: ModelSpec, layer: number): AttentionSpec;
}

/** One parameter of a model: where it is stored and how the stored tensor becomes the canonical one. */
export interface ParameterSpec {
  /** Canonical name, as the program uses it: "layers.3.q.weight". */
  readonly name: string;
  /** Canonical shape: matrices of `linear` are [in, out]; tables are [entries, d]. */
  readonly shape: readonly number[];
  /** Name in a Hugging Face checkpoint, and in a GGUF file (null: not stored there). */
  readonly hf: string;
  readonly gguf: string | null;
  /** Stored as [out, in] (torch.nn.Linear): transposed on load. False: stored as it is used. */
  readonly transposed: boolean;
  /** What `transposed` is in a GGUF file, where that differs (GPT-2's Conv1D matrices). */
  readonly ggufTransposed?: boolean;
  /** The stored table may have more rows than `shape`; the first ones are used (BERT's token types). */
  readonly leadingRows?: boolean;
  /** A range of output features of a fused stored matrix or bias (GPT-2's c_attn). */
  readonly outputs?: readonly [from: number, to: number];
  /** Added to every element (Gemma's norm gains are stored minus one in HF checkpoints). Not applied to GGUF, which stores the sum. */
  readonly plus?: number;
  /** GGUF's llama family stores q and k rows interleaved for this many heads; the loader restores rotate-half order. */
  readonly ggufInterleavedHeads?: number;
}
