/**
 * LayerNorm and RMSNorm: open the rows, sum their squares, one row function, one row scale; three rounds (smpc.md, gates 3 and 5).
 */
import type { ValueId } from "../instruction.ts";
import { rowSeries } from "../fit/row-series.ts";
import { seriesPrecision } from "../fit/series-precision.ts";
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
  const [lo, hi] = [minSquare, maxSquare].map(
    (square) => Math.max(square, setting.epsilon / 4) * width * multiplier ** 2,
  );
  const epsilon = setting.epsilon * multiplier ** 2;
  const name = `1/sqrt(s/${width} + ${epsilon})`;
  const series = rowSeries(name, (s) => 1 / Math.sqrt(s / width + epsilon), {
    from: lo,
    to: hi,
    maxError: 2 ** -(precision.rowBits + 1),
    relative: true,
  });
  // The largest row has the smallest factor, and it needs its bits too.
  const outputFracBits = precision.rowBits + Math.max(0, bitsAbove(Math.sqrt(hi / width))) + 1;
  const scale = lowerRowFunction(at, squares, series, {
    inputFracBits: precision.rowBits - Math.floor(Math.log2(lo)),
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
  if (at.normedFracBits === null) return at.value(out);
  return at.value(at.reopenNormed(out, at.normedFracBits, width, `${site}.normed`));
}

/**
 * A row function of a share: opened over the whole period of the series, which is evaluated on the wire. `error`: root mean square that
 * the rounding of table and words may add.
 */
export function lowerRowFunction(
  at: Lowering,
  x: ValueId,
  series: ReturnType<typeof rowSeries>,
  setting: { readonly inputFracBits: number; readonly outputFracBits: number; readonly error: number },
): { share: ValueId; outputFracBits: number } {
  const { builder } = at;
  const { inputFracBits, outputFracBits, error } = setting;
  const bits = series.periodBits + inputFracBits;
  const wire = at.open(x, inputFracBits, bits);
  const { rows, columns } = builder.info(wire);
  const { tableFracBits, wordFracBits } = seriesPrecision(series, error);
  const out = builder.share(rows, columns, tableFracBits + wordFracBits);
  builder.emit({ gate: "series", x: wire, out, series, tableFracBits, wordFracBits });
  return { share: out, outputFracBits: Math.min(outputFracBits, tableFracBits + wordFracBits) };
}
