/** Weights as a checkpoint stores them; read by ranges so that a large model is never held twice. */
export interface WeightSource {
  readonly format: "safetensors" | "gguf";
  /** The files that hold the weights, absolute paths. */
  readonly files: readonly string[];
  /** Stored name to stored shape (outermost dimension first, as in torch) and stored type ("F32", "Q4_K", ...). */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /**
   * Decodes rows [fromRow, toRow) of the outermost dimension to float32 into `target`
   * (length (toRow - fromRow) · product of the other dimensions; a 1-d tensor has rows of one element).
   */
  readRows(name: string, fromRow: number, toRow: number, target: Float32Array): Promise<void>;
  close(): Promise<void>;
}

export interface StoredTensor {
  readonly shape: readonly number[];
  readonly type: string;
}
