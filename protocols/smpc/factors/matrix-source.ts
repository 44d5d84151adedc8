/** A matrix that `linear` multiplies by: parameters of the model, combined in float64 and rounded to integers once. */
export interface MatrixSource {
  /** Canonical parameter name: [in, out], or [out, in] where `transposed`. */
  readonly weight: string;
  readonly transposed: boolean;
  /** Rows (input features) are multiplied by this parameter [in], or [in / repeats] repeated: the gain of the norm before. */
  readonly rowGain: string | null;
  /** On every entry. */
  readonly factor: number;
  /** Bias parameter [out], times `biasFactor`; null for none. */
  readonly bias: string | null;
  readonly biasFactor: number;
  /** Bias of the norm before [in]: times the matrix (times `factor`, without `rowGain`), added to the bias. */
  readonly rowBias: string | null;
  /** The mean over the output features is taken off every row (and off the bias): what a LayerNorm would remove anyway. */
  readonly centred: boolean;
  /** Output feature j is multiplied by 2^-columnShifts[j] (a GELU range of its own for each neuron); null: none. */
  readonly columnShifts: readonly number[] | null;
  /** Every column is divided by its own 2-norm, a column of zeros by 1 (the bias is not); absent: no. */
  readonly isNormalised?: boolean;
}
