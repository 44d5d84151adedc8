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
  /** Largest error of an activation's series. */
  readonly activationError: number;
  /** Root mean square error that the rounding of an activation's words and tables may add, tables graded by harmonic; null: as above. */
  readonly activationRounding: number | null;
  /** Fractional bits at which an activation is opened once more, its series in a ring as narrow as that; null: it isn't. */
  readonly activatedFracBits: number | null;
  /** Are the tables of row functions graded by harmonic? */
  readonly gradedRows: boolean;
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
  /** How softmax reaches temperature 1: by the ladder (and by squares where that doesn't fit), or by squares. */
  readonly softmax: "ladder" | "square";
  /** Number of squarings of a softmax by squares; null: what costs least. */
  readonly squarings: number | null;
  /** Where the ladder's last rung takes its row's sum off: the weights, or the attention output, which is two rounds less. */
  readonly normalised: "weights" | "attended";
  /**
   * Opens the normed row in front of the attention once more, at this many fractional bits: one round and the row's bytes for the ring
   * bits that the norm's own fraction takes, and that a rotary table needs. Null: only where nothing else fits.
   */
  readonly normedFracBits: number | null;
  /** Fractional bits of rows that leave the parties. */
  readonly outputFracBits: number;
  /** Of products that the client has made, by what goes into them. */
  readonly delegated: Readonly<Record<DelegatedKind, DelegatedPrecision>>;
  /** Of other numbers of the client's that become shares, and of other shares that it gets. */
  readonly takenFracBits: number;
  readonly givenFracBits: number;
}

/**
 * Fixed point of a product whose rows and columns are divided by their norms: it stays below 1, so that a ring of one bit more than both
 * fractions holds it, whatever the values are.
 */
export interface DelegatedPrecision {
  /** Fractional bits of the rows, and of the matrix. */
  readonly rowBits: number;
  readonly matrixBits: number;
  /** Top bits of a word that the first party answers, and each of the others, ahead of time. */
  readonly firstBits: number;
  readonly othersBits: number;
}

/** What goes into a product: normed rows in front of the attention and after it, attended rows, activated ones. */
export type DelegatedKind = "projected" | "attended" | "normed" | "activated";

/**
 * Measured on SmolLM2 (docs/figures.md, "Delegated layers"): the least bytes of these at a mean KL of 1e-5; `more` bits in every number
 * change the error by as many powers of two.
 */
function delegated(more: number): Precision["delegated"] {
  const bits = (row: number, matrix: number, first: number, others: number): DelegatedPrecision => ({
    rowBits: row + more,
    matrixBits: matrix + more,
    firstBits: first + more,
    othersBits: others + more,
  });
  return {
    projected: bits(16, 17, 17, 17),
    attended: bits(15, 15, 16, 17),
    normed: bits(16, 17, 16, 17),
    activated: bits(17, 17, 18, 19),
  };
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
  activationTableFracBits: 12,
  activationWordFracBits: 11,
  activationError: 4e-4,
  activationRounding: null,
  activatedFracBits: null,
  gradedRows: false,
  operandFracBits: 11,
  matrixBits: 10,
  rotaryFracBits: 12,
  columnFracBits: 12,
  rowBits: 11,
  softmaxBits: 11,
  rungBits: 5,
  softmax: "ladder",
  squarings: null,
  normalised: "weights",
  normedFracBits: null,
  outputFracBits: 16,
  // Of what goes up into an MLP one bit less would be most of the error.
  delegated: { ...delegated(-1), normed: { ...delegated(-1).normed, firstBits: delegated(0).normed.firstBits } },
  takenFracBits: 12,
  givenFracBits: 12,
};

/**
 * About eight times as exact, for models whose values are large or whose layers are many: some 40 % more bytes, two more rounds a layer.
 */
export const FINE_PRECISION: Precision = {
  normBits: 15,
  queryFracBits: 14,
  keyFracBits: 12,
  logitFracBits: 12,
  weightFracBits: 15,
  valueFracBits: 11,
  attendedFracBits: 13,
  activationFracBits: 13,
  activationTableFracBits: 15,
  activationWordFracBits: 15,
  activationError: 5e-5,
  activationRounding: null,
  activatedFracBits: null,
  gradedRows: false,
  operandFracBits: 14,
  matrixBits: 13,
  rotaryFracBits: 14,
  columnFracBits: 14,
  rowBits: 14,
  softmaxBits: 13,
  rungBits: 6,
  softmax: "ladder",
  squarings: null,
  normalised: "weights",
  normedFracBits: 15,
  outputFracBits: 18,
  delegated: delegated(0),
  takenFracBits: 15,
  givenFracBits: 15,
};

/** The same, with delegated products eight times as exact: a fifth more bytes for them. */
export const FINEST_PRECISION: Precision = { ...FINE_PRECISION, delegated: delegated(3) };

/** The named precisions of a run. */
export const PRECISIONS = {
  default: DEFAULT_PRECISION,
  fine: FINE_PRECISION,
  finest: FINEST_PRECISION,
} as const;

export type PrecisionName = keyof typeof PRECISIONS;

/** Fewest bits of a row function that the lowering goes down to. */
export const LEAST_ROW_BITS = 10;

/**
 * The same with less ring budget: what the lowering tries, in order, where a plan does not fit into 64 bits. A round is worth more than
 * accuracy; then matrices and rotary tables give, because their errors average out.
 */
export function tighter(precision: Precision): Precision | null {
  if (precision.normedFracBits === null) return { ...precision, normedFracBits: precision.normBits + 1 };
  if (precision.normalised === "attended") return { ...precision, normalised: "weights" };
  if (precision.matrixBits <= 7) return null;
  return {
    ...precision,
    matrixBits: precision.matrixBits - 1,
    rotaryFracBits: Math.max(10, precision.rotaryFracBits - 1),
    rowBits: Math.max(LEAST_ROW_BITS, precision.rowBits - 1),
    columnFracBits: Math.max(10, precision.columnFracBits - 1),
  };
}
