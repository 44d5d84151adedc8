/**
 * How finely every kind of wire is cut: the knobs of the lowering. More bits cost bytes (online or dealt) and ring budget; fewer cost
 * accuracy. The defaults keep a BERT-base layer within 1e-2 of float64 (smpc.md, "Widths for BERT-base").
 */
export interface Precision {
  /** Fractional bits of a norm's input below its smallest row's root mean square. */
  readonly normBits: number;
  /** Fractional bits of scaled queries, of keys, and of the opened attention logits. */
  readonly queryFracBits: number;
  readonly keyFracBits: number;
  readonly logitFracBits: number;
  /** Fractional bits of attention weights, of values, and of the attention output. */
  readonly weightFracBits: number;
  readonly valueFracBits: number;
  readonly attendedFracBits: number;
  /** Fractional bits of an activation's opened input, and of its public table and dealt words. */
  readonly activationFracBits: number;
  readonly activationTableFracBits: number;
  readonly activationWordFracBits: number;
  /** Fractional bits of each operand of an elementwise product. */
  readonly operandFracBits: number;
  /** Significant bits of a public matrix's entries (of their root mean square), of rotary tables, of column gains. */
  readonly matrixBits: number;
  readonly rotaryFracBits: number;
  readonly columnFracBits: number;
  /** Relative bits of a row function's input and output. */
  readonly rowBits: number;
  /** Relative bits of the sum that normalises a softmax row, and of the sums of the rungs before. */
  readonly softmaxBits: number;
  readonly rungBits: number;
  /** Fractional bits of rows that leave the parties. */
  readonly outputFracBits: number;
}

export const DEFAULT_PRECISION: Precision = {
  normBits: 12,
  queryFracBits: 11,
  keyFracBits: 9,
  logitFracBits: 10,
  weightFracBits: 12,
  valueFracBits: 8,
  attendedFracBits: 10,
  activationFracBits: 10,
  activationTableFracBits: 13,
  activationWordFracBits: 12,
  operandFracBits: 11,
  matrixBits: 10,
  rotaryFracBits: 12,
  columnFracBits: 12,
  rowBits: 11,
  softmaxBits: 11,
  rungBits: 5,
  outputFracBits: 16,
};

/**
 * The same with less ring budget: what the lowering tries, in order, where a plan does not fit into 64 bits. Matrices and rotary
 * tables give first, because their errors average out.
 */
export function tighter(precision: Precision): Precision | null {
  if (precision.matrixBits <= 7) return null;
  return {
    ...precision,
    matrixBits: precision.matrixBits - 1,
    rotaryFracBits: Math.max(10, precision.rotaryFracBits - 1),
    rowBits: Math.max(10, precision.rowBits - 1),
    columnFracBits: Math.max(10, precision.columnFracBits - 1),
  };
}
