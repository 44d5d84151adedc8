/**
 * From softmax(x / 2^t) to softmax(x) by t times: square, and divide by the row sum (smpc.md, gate 8). Weights stay in [0, 1] and the sums
 * of their squares in [1/n, 1] whatever the logits are. Three rounds a squaring: the weights, the sum of their squares, its reciprocal.
 */
import { MAX_RING_BITS } from "../../../shares/words.ts";
import { rowFit } from "../fit/row-series.ts";
import type { AttentionLayout } from "../plan/attention-layout.ts";
import type { ValueId } from "../plan/value.ts";
import { RingBudgetError } from "../plan/ring-budget-error.ts";
import { narrowBits, type Lowering } from "./lowering.ts";
import { lowerRowFunction } from "./norm.ts";
import type { Precision } from "./precision.ts";

/** Row sums in front of a squaring: at most 15/16 of a wire's range, whatever the coarse reciprocals before have left of an error. */
export const SQUARED_ROW_SUM = 0.75;
/** Largest error of such a sum, relative: of a coarse reciprocal, and of the first normalisation. */
const ROW_SUM_ERROR = 0.12;
/** Largest error of a coarse reciprocal's series, and what of it the rounding of its table and words may add (root mean square). */
const COARSE_ERROR = 0.045;
const ROUNDING_SHARE = 1 / 8;
/** Bits that a coarse reciprocal and the sum that it is of have more than a rung of the ladder. */
const MORE_THAN_RUNG = 2;
/** Dynamic range of a sum whose reciprocal one series gives within the error of the last normalisation. */
const EXACT_RANGE = 256;
/** Room for the rounding of all squarings. */
const GUARD_BITS = 2;
/** Fractional bits that weights in front of a squaring may have less than those after the last. */
const MOST_LACKING = 2;
/** An error of 2^-5 units of what the shift after a squaring leaves. */
const KEPT_BITS = 4;

/** The numbers of one squaring: how its weights are opened, how exactly their row is normalised, what comes out. */
export interface Squaring {
  /** The weights' wire: not negative, below 1. */
  readonly fracBits: number;
  readonly bits: number;
  /** The row's factor is target / (sum of squares). */
  readonly target: number;
  readonly factorFracBits: number;
  readonly sum: { readonly from: number; readonly to: number; readonly bits: number };
  readonly maxError: number;
  readonly opened: { readonly fracBits: number; readonly bits: number };
}

/**
 * The squarings from temperature 2^count to 1, first to last. An entry's error doubles in every squaring that follows, relative to it, and
 * the largest entry of a flat row is 1/n: a bit more a squaring, and half of log2(n), as measured (worst entry about a unit of the weights
 * for n = 128, six squarings). Throws RingBudgetError where the last product, whose wire has `mixBits`, leaves too little.
 */
export function squarings(precision: Precision, count: number, keyCount: number, mixBits: number): Squaring[] {
  const { weightFracBits, softmaxBits, rungBits } = precision;
  const sum = {
    from: (SQUARED_ROW_SUM * (1 - ROW_SUM_ERROR)) ** 2 / keyCount,
    to: (SQUARED_ROW_SUM * (1 + ROW_SUM_ERROR)) ** 2,
  };
  const all: Squaring[] = [];
  let opened = { fracBits: weightFracBits, bits: mixBits };
  for (let left = 1; left <= count; left++) {
    const isLast = left === 1;
    const factorFracBits = isLast ? softmaxBits + 1 : rungBits + 1;
    const wanted = weightFracBits + left + Math.ceil(Math.log2(keyCount) / 2) + GUARD_BITS;
    const fits = Math.floor((MAX_RING_BITS - opened.bits - factorFracBits + opened.fracBits) / 2);
    const fracBits = Math.min(wanted, fits);
    if (fracBits < weightFracBits - MOST_LACKING)
      throw new RingBudgetError(
        `expected weights of at least ${weightFracBits - MOST_LACKING} fractional bits in front of a squaring, got ${fracBits} beside the ${opened.bits} bits of the wire after it`,
      );
    all.unshift({
      fracBits,
      bits: fracBits + 1,
      target: isLast ? 1 : SQUARED_ROW_SUM,
      factorFracBits,
      sum: { ...sum, bits: isLast ? softmaxBits : rungBits + MORE_THAN_RUNG },
      maxError: isLast ? 2 ** -(softmaxBits + 2) : COARSE_ERROR,
      opened,
    });
    opened = { fracBits, bits: fracBits + 1 };
  }
  return all;
}

/** Bits of an entry in one squaring: its wire's, and dealt (but for the few that a scale lacks). */
export function squaringBits({ fracBits, bits, factorFracBits, opened }: Squaring): { online: number; dealt: number } {
  const shift = 2 * fracBits + factorFracBits - opened.fracBits;
  const ring = opened.bits + shift;
  const dropped = Math.max(0, shift - KEPT_BITS);
  return { online: bits, dealt: 3 * ring - 1 - dropped + 5 * Math.max(0, ring - bits - 1) };
}

/** Weights (a share of entries, row sums of SQUARED_ROW_SUM) squared and normalised as often as there are squarings; row sums of 1. */
export function lowerSquarings(
  at: Lowering,
  layout: AttentionLayout,
  weights: ValueId,
  stages: readonly Squaring[],
  site: string,
): ValueId {
  const { builder } = at;
  const rows = layout.heads * layout.queries;
  let squared = weights;
  for (const stage of stages) {
    const { fracBits, bits, opened } = stage;
    const x = at.open(squared, fracBits, bits);
    builder.site({ site, value: x, bound: 1, range: "structural" });
    const entries = builder.info(x).rows;
    const square = builder.share(entries, 1, 2 * fracBits);
    builder.emit({ gate: "squares", x, out: square, width: 1, nonNegative: true });
    const total = builder.share(rows, 1, 2 * fracBits);
    builder.emit({ gate: "row-sum", x: square, out: total, layout });

    const factor = lowerReciprocal(at, total, stage);
    // What is left of 64 bits after the shift; the gate is dealt more where the product needs more.
    const limit = MAX_RING_BITS - (builder.info(factor.share).fracBits - factor.fracBits);
    const scale = builder.wideWire(rows, 1, factor.fracBits, limit);
    builder.emit({ gate: "open", x: at.atFracBits(factor.share, factor.fracBits), out: scale });

    const out = builder.share(entries, 1, 2 * fracBits + factor.fracBits);
    const droppedBits = Math.max(0, 2 * fracBits + factor.fracBits - opened.fracBits - KEPT_BITS);
    builder.emit({ gate: "square-scale", x, square, scale, out, layout, droppedBits });
    squared = out;
  }
  return squared;
}

/**
 * target / s of a row's sum of squares s, as a share to be opened at `fracBits`. Many keys make its range too wide for one series to be
 * exact: then it is the square of sqrt(target / s), whose range is half as wide, and one round more.
 */
function lowerReciprocal(at: Lowering, total: ValueId, stage: Squaring): { share: ValueId; fracBits: number } {
  const { target, factorFracBits, maxError, sum } = stage;
  const { from, to } = sum;
  const inputFracBits = sum.bits - Math.floor(Math.log2(from));
  if (to / from <= EXACT_RANGE || maxError === COARSE_ERROR) {
    const f = { name: `${target}/s`, kind: "inverse", factor: target, shift: 0 } as const;
    const fit = rowFit(f, { from, to, maxError });
    const series = at.series(fit, inputFracBits);
    checkError(series.maxError, sum);
    const { share, outputFracBits } = lowerRowFunction(at, total, series, {
      inputFracBits,
      outputFracBits: factorFracBits,
      error: (maxError * ROUNDING_SHARE * target) / to,
    });
    return { share, fracBits: outputFracBits };
  }
  const f = { name: `sqrt(${target}/s)`, kind: "inverseRoot", factor: Math.sqrt(target), shift: 0 } as const;
  const fit = rowFit(f, { from, to, maxError: maxError / 2 });
  const root = at.series(fit, inputFracBits);
  checkError(2 * root.maxError, sum);
  const { share, outputFracBits } = lowerRowFunction(at, total, root, {
    inputFracBits,
    outputFracBits: factorFracBits + 1,
    error: (maxError * ROUNDING_SHARE * Math.sqrt(target / to)) / 2,
  });
  const bound = 2 * Math.sqrt(target / from);
  const wire = at.open(share, outputFracBits, narrowBits(bound, outputFracBits));
  const square = at.builder.share(at.builder.info(wire).rows, 1, 2 * outputFracBits);
  at.builder.emit({ gate: "squares", x: wire, out: square, width: 1 });
  return { share: square, fracBits: factorFracBits };
}

function checkError(error: number, { from, to }: Squaring["sum"]): void {
  if (error > COARSE_ERROR)
    throw new RingBudgetError(
      `expected reciprocals on [${from}, ${to}] within ${COARSE_ERROR}, relative, got ${error}`,
    );
}
