/**
 * LayerNorm and RMSNorm: open the rows, sum their squares, one row function, one row scale; three rounds (smpc.md, gates 3 and 5).
 */
import { MAX_RING_BITS } from "../../../shares/words.ts";
import type { ValueId } from "../plan/value.ts";
import { rowFit } from "../fit/row-series.ts";
import type { Series } from "../fit/series.ts";
import { gradedPrecision, seriesPrecision } from "../fit/series-precision.ts";
import { bitsAbove, type Lowered, type Lowering } from "./lowering.ts";
import type { SiteRange } from "./ranges.ts";

/** x / sqrt(mean(x^2) + epsilon) over groups of `width` columns, the gain left pending. */
export function lowerRmsNorm(at: Lowering, x: Lowered, gain: string, epsilon: number, width: number): Lowered {
  const { site, range } = at.site("norm");
  return { ...normalised(at, at.settle(x), { site, range, epsilon, width, multiplier: 1 }), gain };
}

/** (x - mean) / sqrt(variance + epsilon), gain and bias left pending. The mean is taken off each summand in its own way. */
export function lowerLayerNorm(at: Lowering, x: Lowered, gain: string, bias: string | null, epsilon: number): Lowered {
  const { site, range } = at.site("norm");
  const columns = at.columnsOf(x.id);
  let constantBits = 0;
  while (columns % 2 ** (constantBits + 1) === 0) constantBits++;
  const multiplier = columns / 2 ** constantBits;
  const parts = x.parts.length > 0 ? x.parts : [x];
  const centred = at.combine(parts.map((part) => centre(at, part, multiplier, constantBits)));
  return { ...normalised(at, centred, { site, range, epsilon, width: columns, multiplier }), gain, bias };
}

/** multiplier * (x - mean): inside the matrix where a linear step made x, on shares elsewhere. */
function centre(at: Lowering, x: Lowered, multiplier: number, constantBits: number): ValueId {
  if (x.made !== null && x.factor === 1 && x.gain === null && x.bias === null) {
    const { matrix } = x.made;
    return at.emitLinear({
      ...x.made,
      matrix: {
        ...matrix,
        factor: matrix.factor * multiplier,
        biasFactor: matrix.biasFactor * multiplier,
        centred: true,
      },
    }).id;
  }
  const id = at.settle(x);
  const { rows, columns, fracBits } = at.builder.info(id);
  const out = at.builder.share(rows, columns, fracBits + constantBits);
  at.builder.emit({ gate: "centre", x: id, out, multiplier, constantBits });
  return out;
}

/** Rows that are all alike have an interval all the same. */
const LEAST_RATIO = 1 + 2 ** -10;

interface NormSetting {
  readonly site: string;
  readonly range: SiteRange;
  readonly epsilon: number;
  readonly width: number;
  /** The rows come multiplied by this. */
  readonly multiplier: number;
}

function normalised(at: Lowering, x: ValueId, setting: NormSetting): Lowered {
  const { builder, precision } = at;
  const { range, width, multiplier, site } = setting;
  const [minSquare, maxSquare] = [range.minSquare ?? 0, range.maxSquare ?? range.maxAbs ** 2];
  const smallest = Math.sqrt(Math.max(minSquare, setting.epsilon)) * multiplier; // root mean square of the smallest row
  const fracBits = precision.normBits - Math.floor(Math.log2(smallest));
  const wire = at.openNarrow(x, fracBits, range.maxAbs * multiplier, site, range.range);
  const { rows, columns } = builder.info(wire);
  const groups = columns / width;
  const squares = builder.share(rows, groups, 2 * fracBits);
  builder.emit({ gate: "squares", x: wire, out: squares, width });

  // f(s) = 1 / sqrt(s / width + epsilon) of s = sum of squares, all in units of the multiplied rows.
  const [lo, end] = [minSquare, maxSquare].map(
    (square) => Math.max(square, setting.epsilon / 4) * width * multiplier ** 2,
  );
  const hi = end > lo ? end : LEAST_RATIO * lo;
  const epsilon = setting.epsilon * multiplier ** 2;
  const inputFracBits = precision.rowBits - Math.floor(Math.log2(lo));
  // 1 / sqrt(s / width + epsilon) = sqrt(width) / sqrt(s + width epsilon)
  const fit = rowFit(
    {
      name: `1/sqrt(s/${width} + ${epsilon})`,
      kind: "inverseRoot",
      factor: Math.sqrt(width),
      shift: width * epsilon,
    },
    { from: lo, to: hi, maxError: 2 ** -(precision.rowBits + 1) },
  );
  const series = at.series(fit, inputFracBits);
  // The largest row has the smallest factor, and it needs its bits too.
  const outputFracBits = precision.rowBits + Math.max(0, bitsAbove(Math.sqrt(hi / width))) + 1;
  const scale = lowerRowFunction(at, squares, series, {
    inputFracBits,
    outputFracBits,
    error: 2 ** -(outputFracBits + 1),
  });
  const { fracBits: scaleFracBits } = builder.info(scale.share);
  // The share has what is left of 64 bits after the shift to the wire's fraction; the wire is as wide as the product needs.
  const limit = 64 - (scaleFracBits - scale.outputFracBits);
  const shifted = at.atFracBits(scale.share, scale.outputFracBits);
  const scaleWire = builder.wideWire(rows, groups, scale.outputFracBits, limit);
  builder.emit({ gate: "open", x: shifted, out: scaleWire });
  const out = builder.share(rows, columns, fracBits + scale.outputFracBits);
  builder.emit({ gate: "row-scale", x: wire, scale: scaleWire, out, width });
  if (groups === 1) checkNormed(at, { squares, factor: scale.share, lo, hi, width, epsilon, site });
  if (at.normedFracBits === null) return at.value(out);
  return at.value(at.reopenNormed(out, at.normedFracBits, width, `${site}.normed`));
}

/** Significant bits of the smallest number that a check reads, and fractional bits of what goes out: enough to tell 1 from a miss. */
const CHECK_BITS = 8;
const CHECK_FRAC_BITS = 7;
const CHECK_OUTPUT_BITS = 12;
/** A sum of squares is checked in a ring so many times (log2) as wide as its series' period: one beyond it wraps there, and not here. */
const CHECK_MORE_BITS = 4;
/** Of the expected value: roundings stay below a twentieth of it for eight parties. */
const CHECK_TOLERANCE = 0.125;

interface NormedRows {
  /** Shares of the sums of squares and of their factors 1 / sqrt(s / width + epsilon), one a row. */
  readonly squares: ValueId;
  readonly factor: ValueId;
  /** What the sums may be. */
  readonly lo: number;
  readonly hi: number;
  readonly width: number;
  readonly epsilon: number;
  readonly site: string;
}

/**
 * A normed row's squares sum up to `width`: factor^2 s goes out with the row, and its owner sees one whose sum of squares the series
 * doesn't cover. Both numbers are opened once more, beside the openings that are there anyway: a few words a row, no round.
 */
function checkNormed(at: Lowering, { squares, factor, lo, hi, width, epsilon, site }: NormedRows): void {
  const { builder } = at;
  const { rows, fracBits } = builder.info(squares);
  const sumFracBits = CHECK_BITS - Math.floor(Math.log2(lo));
  const wanted = Math.ceil(Math.log2(2 * hi)) + CHECK_MORE_BITS + sumFracBits;
  const sum = at.open(squares, sumFracBits, Math.min(wanted, MAX_RING_BITS - Math.max(0, fracBits - sumFracBits)));

  const [least, most] = [hi, lo].map((s) => 1 / Math.sqrt(s / width + epsilon));
  const factorFracBits = CHECK_BITS - Math.floor(Math.log2(least));
  // squares and square-scale of a number that isn't negative take half of its wire's ring; twice the largest factor fits.
  const wire = at.open(factor, factorFracBits, Math.ceil(Math.log2(2 * most)) + factorFracBits + 2);
  const square = builder.share(rows, 1, 2 * factorFracBits);
  builder.emit({ gate: "squares", x: wire, out: square, width: 1, nonNegative: true });
  const layout = { heads: 1, kvHeads: 1, headDim: 1, queries: rows, past: 0, causal: true, window: 1 };
  const product = builder.share(rows, 1, 2 * factorFracBits + sumFracBits);
  builder.emit({ gate: "square-scale", x: wire, square, scale: sum, out: product, layout, droppedBits: 0 });

  const scaleBits = Math.ceil(Math.log2(width));
  const shifted = at.atFracBits(at.rescaled(product, -scaleBits), CHECK_FRAC_BITS);
  const output = `check.${site}`;
  builder.emit({ gate: "output", x: shifted, name: output, bits: CHECK_OUTPUT_BITS });
  // s / (s + width epsilon) of the smallest row, and 1 of a large one.
  const smallest = lo / (lo + width * epsilon);
  const expected = (width / 2 ** scaleBits) * ((1 + smallest) / 2);
  builder.check({
    output,
    expected,
    tolerance: (width / 2 ** scaleBits) * (CHECK_TOLERANCE + (1 - smallest) / 2),
    site,
  });
}

/**
 * A row function of a share: opened over the whole period of the series, which is evaluated on the wire. `error`: root mean square that
 * the rounding of table and words may add.
 */
export function lowerRowFunction(
  at: Lowering,
  x: ValueId,
  series: Series,
  setting: { readonly inputFracBits: number; readonly outputFracBits: number; readonly error: number },
): { share: ValueId; outputFracBits: number } {
  const { builder } = at;
  const { inputFracBits, outputFracBits, error } = setting;
  const bits = series.periodBits + inputFracBits;
  const wire = at.open(x, inputFracBits, bits);
  const { rows, columns } = builder.info(wire);
  const cut = at.precision.gradedRows ? gradedPrecision(series, error) : seriesPrecision(series, error);
  const { tableFracBits, wordFracBits } = cut;
  const out = builder.share(rows, columns, tableFracBits + wordFracBits);
  builder.emit({ gate: "series", x: wire, out, series, ...cut });
  return { share: out, outputFracBits: Math.min(outputFracBits, tableFracBits + wordFracBits) };
}
