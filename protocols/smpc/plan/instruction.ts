/**
 * The plan of an SMPC computation, as data: typed values and the gates between them, in an order in which they can run.
 *
 * A plan is public and the same for every party and the dealer. It is made once from a block program (plan-builder.ts, lowering/) and
 * read in several ways: party, dealer, clear fixed point, cost. There are two kinds of value (smpc.md, "Three kinds of value"; the
 * third, public, is data of an instruction):
 *
 *   share  every party holds an additive share in Z_{2^ringBits}
 *   wire   the parties hold X = x + r mod 2^bits and shares of r mod 2^bits; the dealer knows r
 *
 * All values are flat arrays of `rows * columns` words, row-major; attention entries are ragged (see AttentionLayout) and have
 * columns = 1, rows = number of visible entries.
 */
import type { Activation } from "../../../layers/model-spec.ts";

/** Index of a value in `Plan.values`. */
export type ValueId = number;

export interface ShareInfo {
  readonly kind: "share";
  readonly rows: number;
  readonly columns: number;
  /** A real number x is the word round(x * 2^fracBits). */
  readonly fracBits: number;
  /** K: low bits of a word that consumers need; set by the builder's backward pass. */
  readonly ringBits: number;
}

export interface WireInfo {
  readonly kind: "wire";
  readonly rows: number;
  readonly columns: number;
  readonly fracBits: number;
  /** k: the word is x + r mod 2^bits; x is read as signed, so |x| < 2^(bits - 1) units, or a quarter of the ring where it is extended. */
  readonly bits: number;
}

export type ValueInfo = ShareInfo | WireInfo;

/** Which entries of the attention matrix exist: a query sees a contiguous range of keys, the same for every head. */
export interface AttentionLayout {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** New rows; their positions are past ... past + queries - 1. */
  readonly queries: number;
  /** Rows that came before; keys are past + queries. */
  readonly past: number;
  readonly causal: boolean;
  readonly window: number | null;
}

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
}

/** f(x) = constant + linear part elsewhere + sum over harmonics h of cos[h] cos(h w x) + sin[h] sin(h w x), w = 2 pi / 2^periodBits. */
export interface Series {
  /** log2 of the period in units of real numbers; period = 2^(bits - fracBits) of the wire it reads. */
  readonly periodBits: number;
  readonly constant: number;
  /** Positive, ascending. */
  readonly harmonics: readonly number[];
  readonly cos: readonly number[];
  readonly sin: readonly number[];
  /** Largest error on [from, to], float64, as fitted. */
  readonly maxError: number;
  readonly from: number;
  readonly to: number;
  /** What it computes, for people: "gelu(x) - x/2", "log(x)". */
  readonly name: string;
}

export type Instruction =
  /** A share that comes from outside: the client or the CompNodes. */
  | { readonly gate: "input"; readonly out: ValueId; readonly name: string }
  /** A share that leaves, `bits` low bits of every word: to the CompNodes or the client. */
  | { readonly gate: "output"; readonly x: ValueId; readonly name: string; readonly bits: number }
  /** out [rows, outputs] = x [rows, inputs] M + bias; fracBits add up. */
  | {
      readonly gate: "linear";
      readonly x: ValueId;
      readonly out: ValueId;
      readonly matrix: MatrixSource;
      readonly matrixFracBits: number;
    }
  /** out = sum of factor * x; factors are integers (powers of two align fracBits). */
  | {
      readonly gate: "combine";
      readonly terms: readonly { readonly x: ValueId; readonly factor: number }[];
      readonly out: ValueId;
    }
  /** out = x * scale + bias by column; parameters [columns], or [columns / n] repeated. */
  | {
      readonly gate: "columns";
      readonly x: ValueId;
      readonly out: ValueId;
      readonly scale: string | null;
      readonly factor: number;
      readonly scaleFracBits: number;
      readonly bias: string | null;
    }
  /** Rotary embedding of every head by the row's position, times `factor`; out has tableFracBits more. */
  | {
      readonly gate: "rotate";
      readonly x: ValueId;
      readonly out: ValueId;
      readonly headDim: number;
      readonly inverseFrequencies: readonly number[];
      /** Position of row 0. */
      readonly firstPosition: number;
      readonly factor: number;
      readonly tableFracBits: number;
    }
  /** out = multiplier * (x - mean of the row), exactly, with constantBits more fracBits: multiplier * 2^constantBits = columns. */
  | {
      readonly gate: "centre";
      readonly x: ValueId;
      readonly out: ValueId;
      readonly multiplier: number;
      readonly constantBits: number;
    }
  /** out = x - row 0 of the sequence; the row is kept under `key` by the step that has it (firstPosition = 0). */
  | {
      readonly gate: "pivot";
      readonly x: ValueId;
      readonly out: ValueId;
      readonly key: string;
      readonly firstPosition: number;
    }
  /** out = x >> bits, in a ring that is `bits` smaller. */
  | { readonly gate: "shift"; readonly x: ValueId; readonly out: ValueId; readonly bits: number }
  /** Share -> wire: the only instruction that sends anything. Width and fracBits are those of `out`. */
  | { readonly gate: "open"; readonly x: ValueId; readonly out: ValueId }
  /** out (wire) = wires of the steps before under `key`, then x. */
  | { readonly gate: "append"; readonly x: ValueId; readonly out: ValueId; readonly key: string }
  /** Wire -> share in a larger ring; |x| < a quarter of the wire's ring. */
  | { readonly gate: "extend"; readonly x: ValueId; readonly out: ValueId }
  /** out (entries) = q . k for every visible entry; wires of equal bits, the product mod 2^bits. */
  | {
      readonly gate: "scores";
      readonly q: ValueId;
      readonly k: ValueId;
      readonly out: ValueId;
      readonly layout: AttentionLayout;
    }
  /** out [queries, heads * headDim] = sum over visible keys of p (entries) * v; wires of equal bits, the product mod 2^bits. */
  | {
      readonly gate: "mix";
      readonly p: ValueId;
      readonly v: ValueId;
      readonly out: ValueId;
      readonly layout: AttentionLayout;
    }
  /** out [rows, columns / width] = sum of squares of each group of `width` columns; fracBits double. */
  | {
      readonly gate: "squares";
      readonly x: ValueId;
      readonly out: ValueId;
      readonly width: number;
      /** x is not negative, but for rounding, and may be as large as half the wire's ring (narrow-wire.ts). */
      readonly nonNegative?: true;
    }
  /** out (entries) = x^2 * scale, a number a row (wire [heads * queries]); x is not negative, `square` a share of x^2 (gate squares). */
  | {
      readonly gate: "square-scale";
      readonly x: ValueId;
      readonly square: ValueId;
      readonly scale: ValueId;
      readonly out: ValueId;
      readonly layout: AttentionLayout;
      /** So many low bits of `out` need not be right. */
      readonly droppedBits: number;
    }
  /** out [rows, columns] = x * scale [rows, columns / width]; x is narrow; `scale` is wide, and extended where the out ring is wider still. */
  | {
      readonly gate: "row-scale";
      readonly x: ValueId;
      readonly scale: ValueId;
      readonly out: ValueId;
      readonly width: number;
    }
  /** out = a * b, element by element; two narrow wires, the product in any ring. */
  | { readonly gate: "multiply"; readonly a: ValueId; readonly b: ValueId; readonly out: ValueId }
  /** out = series(x) of a wire whose bits - fracBits is the period; words and table as declared. */
  | {
      readonly gate: "series";
      readonly x: ValueId;
      readonly out: ValueId;
      readonly series: Series;
      readonly tableFracBits: number;
      readonly wordFracBits: number;
    }
  /** out = exp(x / temperature) for x in [from, from + period (1 - 1/windows)). */
  | {
      readonly gate: "exp";
      readonly x: ValueId;
      readonly out: ValueId;
      readonly temperature: number;
      readonly from: number;
      readonly windows: number;
      readonly tableFracBits: number;
      readonly wordFracBits: number;
    }
  /** out [heads * queries] = sum of each row of entries. Row order: head-major. */
  | { readonly gate: "row-sum"; readonly x: ValueId; readonly out: ValueId; readonly layout: AttentionLayout }
  /** out (entries, wire) = x - row, a row wire [heads * queries] of at least as many bits and equal fracBits. */
  | {
      readonly gate: "row-difference";
      readonly x: ValueId;
      readonly row: ValueId;
      readonly out: ValueId;
      readonly layout: AttentionLayout;
    }
  /** out (row wire [heads * queries]) = the row's own diagonal entry of x. */
  | { readonly gate: "diagonal"; readonly x: ValueId; readonly out: ValueId; readonly layout: AttentionLayout };

export type GateName = Instruction["gate"];
export type InstructionOf<G extends GateName> = Extract<Instruction, { readonly gate: G }>;

/** A value's rows that a check names when the value breaks its invariant. */
export interface PlanCheck {
  readonly output: string;
  /** The real number that every element must be near. */
  readonly expected: number;
  readonly tolerance: number;
  /** Which wire or row is out of range where it isn't. */
  readonly site: string;
}

export interface Plan {
  readonly values: readonly ValueInfo[];
  readonly instructions: readonly Instruction[];
  /** level[i]: round after which instruction i can run; opens of one level travel in one message a pair of parties. */
  readonly levels: readonly number[];
  /** Number of levels that open something. */
  readonly rounds: number;
  /** Largest unit of what a wire was sized by: for people and for the record. */
  readonly sites: readonly PlanSite[];
  readonly checks: readonly PlanCheck[];
}

/** How wide a wire is and why. */
export interface PlanSite {
  readonly site: string;
  readonly value: ValueId;
  readonly bound: number;
  readonly range: "calibrated" | "certified" | "structural";
}

/** The kinds of activation that have a series. */
export type SeriesActivation = Exclude<Activation, "relu">;
