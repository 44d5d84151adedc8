/** The public shape of a model: everything that a program, a schedule or a cost needs, read from config.json or GGUF metadata. */
export interface ModelSpec {
  /** config.json's model_type: "llama", "bert", ... */
  readonly modelType: string;
  readonly layers: number;
  /** d: width of the residual stream. */
  readonly width: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly mlpWidth: number;
  readonly vocabulary: number;
  readonly maxPositions: number;
  readonly normEpsilon: number;
  readonly activation: Activation;
  /** Rotary frequencies; null where positions are learned. */
  readonly rope: Rope | null;
  /** Factor on q·k. */
  readonly attentionScale: number;
  readonly attentionSoftCap: number | null;
  readonly logitSoftCap: number | null;
  readonly causal: boolean;
  /** Sliding window of each layer, or null. */
  readonly windows: readonly (number | null)[];
  readonly tiedHead: boolean;
  /** Does the checkpoint have biases on q, k, v / on o / in the MLP? */
  readonly qkvBias: boolean;
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  /** Token ids that end a generation. */
  readonly stopTokens: readonly number[];
}

/** gelu: exact, by erf. geluTanh: the tanh form (gelu_new, gelu_pytorch_tanh). */
export type Activation = "gelu" | "geluTanh" | "silu" | "relu";

/** Rotary frequencies, scaling already applied. Angle of pair i at position t: t · inverseFrequencies[i]. */
export interface Rope {
  /** [headDim / 2] */
  readonly inverseFrequencies: readonly number[];
}
