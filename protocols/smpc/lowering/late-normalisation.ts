/**
 * A softmax row's sum taken off the attention output (smpc.md, gate 7): weights exp(x - L) go to the product with the values as they are,
 * and their row's sum s beside them; the output comes times 1 / s, a number a row and head. Two rounds less than weights that are
 * normalised first, for weights, values and outputs whose wires have room for what s may be.
 */
import { rowFit } from "../fit/row-series.ts";
import type { AttentionLayout, PublicRows } from "../plan/attention-layout.ts";
import type { ValueId } from "../plan/value.ts";
import { bitsAbove, narrowBits, type Lowered, type Lowering } from "./lowering.ts";
import { lowerRowFunction } from "./norm.ts";
import type { SiteRange } from "./ranges.ts";
import { checkWraps } from "./wrap-check.ts";

/** What the sum of a row's weights may be, at most 1, and how exactly it is read. */
export interface LateSum {
  readonly from: number;
  readonly to: number;
  readonly bits: number;
}

/** Fractional bits that weights and outputs have more for the smallest sum. */
export const lateBits = ({ from }: LateSum): number => Math.max(0, bitsAbove(1 / from));

/** The wire of outputs times their row's sum: as wide as outputs of `reach` at `fracBits` need it. */
export const lateWire = (sum: LateSum, reach: number, fracBits: number): { fracBits: number; bits: number } => {
  const finer = fracBits + lateBits(sum);
  return { fracBits: finer, bits: narrowBits(reach * sum.to, finer) };
};

interface LateSetting {
  readonly layout: AttentionLayout;
  /** Shares of exp(x - L), entries, and the wire of the values. */
  readonly weights: ValueId;
  readonly values: ValueId;
  readonly sum: LateSum;
  /** Values of a public prefix. */
  readonly prefix: { readonly prefix?: PublicRows };
  readonly attended: { readonly site: string; readonly range: SiteRange };
  readonly attendedFracBits: number;
  readonly mixBits: number;
  readonly wrapBits: number;
  readonly logitsSite: string;
}

/** Bits and fractional bits of what a check reads and gives out (norm.ts). */
const CHECK_BITS = 8;
const CHECK_MORE_BITS = 4;
const CHECK_FRAC_BITS = 7;
const CHECK_OUTPUT_BITS = 12;
const CHECK_TOLERANCE = 0.1;

/** softmax(x) v from weights that are still to be divided by their row's sum. Out [rows, heads * headDim]. */
export function lowerLate(at: Lowering, setting: LateSetting): Lowered {
  const { builder, precision } = at;
  const { layout, weights, values, sum, attended, attendedFracBits, mixBits, wrapBits, logitsSite } = setting;
  const { heads, headDim } = layout;
  const { from, to, bits } = sum;
  const total = builder.share(at.rows, heads, builder.info(weights).fracBits);
  builder.emit({ gate: "row-sum", x: weights, out: total, layout, byQuery: true });
  const inputFracBits = bits - Math.floor(Math.log2(from));
  const maxError = 2 ** -(bits + 1);
  const fit = rowFit({ name: "1/s", kind: "inverse", factor: 1, shift: 0 }, { from, to, maxError });
  const factor = lowerRowFunction(at, total, at.series(fit, inputFracBits), {
    inputFracBits,
    outputFracBits: bits + 1 + Math.max(0, bitsAbove(to)),
    error: maxError / to,
  });
  const limit = 64 - (builder.info(factor.share).fracBits - factor.outputFracBits);
  const scale = builder.wideWire(at.rows, heads, factor.outputFracBits, limit);
  builder.emit({ gate: "open", x: at.atFracBits(factor.share, factor.outputFracBits), out: scale });
  checkTotal(at, { total, scale, from, to, site: logitsSite });

  const finer = lateBits(sum);
  const p = at.open(weights, precision.weightFracBits + finer, mixBits);
  const mixed = builder.share(at.rows, heads * headDim, precision.weightFracBits + finer + at.fracBitsOf(values));
  builder.emit({ gate: "mix", p, v: values, out: mixed, layout, ...setting.prefix });
  const { site, range } = attended;
  const wireInfo = lateWire(sum, range.maxAbs, attendedFracBits);
  const words = at.atFracBits(mixed, wireInfo.fracBits);
  const wire = at.openNarrow(words, wireInfo.fracBits, range.maxAbs * to, site, range.range);
  if (wrapBits > 0) checkWraps(at, { words, extended: at.extend(wire), bits: wireInfo.bits, site });
  const out = builder.share(at.rows, heads * headDim, wireInfo.fracBits + factor.outputFracBits);
  builder.emit({ gate: "row-scale", x: wire, scale, out, width: headDim });
  return at.value(out);
}

/**
 * A row's sum times its factor is 1 if its logits stayed in range: the sum is opened once more, in a ring so much wider than the factor's
 * series that a sum beyond it doesn't wrap round, and the product goes out, a number a row and head, to the row's owner.
 */
function checkTotal(
  at: Lowering,
  {
    total,
    scale,
    from,
    to,
    site,
  }: {
    readonly total: ValueId;
    readonly scale: ValueId;
    readonly from: number;
    readonly to: number;
    readonly site: string;
  },
): void {
  const { builder } = at;
  const { rows, columns: heads } = builder.info(total);
  const fracBits = CHECK_BITS - Math.floor(Math.log2(from));
  const wire = at.open(total, fracBits, narrowBits(to, fracBits) + CHECK_MORE_BITS);
  const product = builder.share(rows, heads, fracBits + at.fracBitsOf(scale));
  builder.emit({ gate: "multiply", a: wire, b: scale, out: product });
  // Checks are head-major: each number is the only entry of its row here.
  const layout = { heads: rows, kvHeads: rows, headDim: 1, queries: heads, past: 0, causal: true, window: 1 };
  const byHead = builder.share(rows * heads, 1, at.fracBitsOf(product));
  builder.emit({ gate: "row-sum", x: product, out: byHead, layout, byQuery: true });
  const output = `check.${site}`;
  builder.emit({ gate: "output", x: at.atFracBits(byHead, CHECK_FRAC_BITS), name: output, bits: CHECK_OUTPUT_BITS });
  builder.check({ output, expected: 1, tolerance: CHECK_TOLERANCE, site });
}
