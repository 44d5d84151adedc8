import type { Activation } from "../../../layers/model-spec.ts";
import type { Algebra } from "../../../layers/program.ts";
import { ACTIVATE } from "../../../layers/reference/algebra.ts";
import type { PartParameters } from "../calibration/readable-model.ts";
import type { SiteNames, SiteRange } from "../lowering/ranges.ts";
import { imageOfInterval, imageOfNormed, interval, magnitudes, productBound, type Bound } from "./bound.ts";

/** A range that holds whatever the tokens are, and what it is for each column. */
export interface Certificate {
  readonly range: SiteRange;
  /** Largest magnitude of each column (neuron), [columns]. */
  readonly columns: Float64Array;
}

/** Slack for the fixed-point errors of what a wire is computed from: relative, and in units of the value. */
const RELATIVE_SLACK = 1 / 64;
const ABSOLUTE_SLACK = 1 / 64;

/** The certificate that a bound gives for `site`. */
export function certificateOf(bound: Bound): Certificate {
  const columns = magnitudes(bound).map((size) => size * (1 + RELATIVE_SLACK) + ABSOLUTE_SLACK);
  return { range: { range: "certified", maxAbs: columns.reduce((a, b) => Math.max(a, b), 0) }, columns };
}

/**
 * The interval reading of a program: bounds of every value from the public weights alone, by the length of normed rows
 * (Cauchy-Schwarz), the rows of the tables, and intervals elsewhere. `note` gets the certificate of each site that has one.
 */
export function boundAlgebra(
  { parameter, float64 }: PartParameters,
  names: SiteNames,
  note: (site: string, certificate: Certificate) => void,
  positions: number,
): Algebra<Bound> {
  const linear = (x: Bound, weight: Float64Array, columns: number, bias: string | null): Bound => {
    const b = bias === null ? null : float64(bias);
    return x.normed === null ? imageOfInterval(x, weight, columns, b) : imageOfNormed(x.normed, weight, columns, b);
  };
  const table = (name: string, from: number, to: number): Bound => {
    const [entries, columns] = parameter(name).shape;
    return rowsOf(parameter(name).data, columns, from, Math.min(to, entries));
  };
  return {
    lookupTokens: (name) => table(name, 0, Infinity),
    lookupPositions: (name, offset) => table(name, offset, offset + positions),
    addTableRow: (x, name, index) => sum(x, table(name, index, index + 1)),
    linear: (x, weight, bias) => linear(x, float64(weight), parameter(weight).shape[1], bias),
    unembed(x, name, bias) {
      const [columns, inputs] = parameter(name).shape;
      return linear(x, transpose(parameter(name).data, columns, inputs), columns, bias);
    },
    add: sum,
    multiply(x, y) {
      for (const operand of [x, y]) note(names.next("operand"), certificateOf(operand));
      const joint = productBound(x.image ?? x.below, y.image ?? y.below);
      const low = new Float64Array(x.low.length);
      const high = new Float64Array(x.low.length);
      for (let c = 0; c < low.length; c++) {
        const ends = [x.low[c] * y.low[c], x.low[c] * y.high[c], x.high[c] * y.low[c], x.high[c] * y.high[c]];
        const limit = joint?.[c] ?? Infinity;
        low[c] = Math.max(-limit, Math.min(...ends));
        high[c] = Math.min(limit, Math.max(...ends));
      }
      return interval(low, high);
    },
    scale(x, factor) {
      const ends = [x.low, x.high].map((end) => end.map((value) => value * factor));
      const squares = x.squares === null ? null : ([x.squares[0] * factor ** 2, x.squares[1] * factor ** 2] as const);
      return {
        ...interval(...((factor < 0 ? [ends[1], ends[0]] : [ends[0], ends[1]]) as [Float64Array, Float64Array])),
        squares,
      };
    },
    softCap(x, cap) {
      note(names.next("softCap"), certificateOf(x));
      const capped = (value: number): number => cap * Math.tanh(value / cap);
      return interval(x.low.map(capped), x.high.map(capped));
    },
    activate(x, kind) {
      note(names.next("activation"), certificateOf(x));
      // |f(x)| <= |x| for each of them.
      return { ...activated(x, kind), below: x.image };
    },
    layerNorm(x, gain, bias) {
      names.next("norm");
      return normed(x.low.length, float64(gain), bias === null ? null : float64(bias), true, x.low.length);
    },
    rmsNorm(x, gain, _epsilon, width) {
      const site = names.next("norm");
      if (x.squares !== null && width === x.low.length) {
        const { range, columns } = certificateOf(x);
        const [minSquare, maxSquare] = x.squares;
        const slack = 1 + RELATIVE_SLACK;
        note(site, { range: { ...range, minSquare: minSquare / slack, maxSquare: maxSquare * slack }, columns });
      }
      return normed(x.low.length, float64(gain), null, false, width);
    },
    rotate(x, _rope, headDim) {
      const sizes = magnitudes(x);
      const half = headDim / 2;
      const turned = sizes.map((size, c) => Math.hypot(size, sizes[c % headDim < half ? c + half : c - half]));
      return interval(
        turned.map((size) => -size),
        turned,
      );
    },
  };
}

/** Bounds of the attention output: each head mixes rows of its values with weights that sum to 1. */
export function attendedBound(
  v: Bound,
  { heads, kvHeads, headDim }: { readonly heads: number; readonly kvHeads: number; readonly headDim: number },
): Bound {
  const pick = (end: Float64Array): Float64Array =>
    Float64Array.from({ length: heads * headDim }, (_, c) => {
      const head = Math.floor(c / headDim);
      return end[Math.floor((head * kvHeads) / heads) * headDim + (c % headDim)];
    });
  return interval(pick(v.low), pick(v.high));
}

/** Rows [from, to) of a table [entries, columns]. */
export function rowsOf(data: ArrayLike<number>, columns: number, from: number, to: number): Bound {
  const [low, high] = [new Float64Array(columns).fill(Infinity), new Float64Array(columns).fill(-Infinity)];
  let [min, max] = [Infinity, 0];
  for (let row = from; row < to; row++) {
    let square = 0;
    for (let c = 0, at = row * columns; c < columns; c++, at++) {
      const value = data[at];
      low[c] = Math.min(low[c], value);
      high[c] = Math.max(high[c], value);
      square += value * value;
    }
    min = Math.min(min, square / columns);
    max = Math.max(max, square / columns);
  }
  return { ...interval(low, high), squares: [min, max] };
}

/** A row of groups of `width`, each divided by its root mean square, times the gain [width]. */
function normed(
  columns: number,
  gain: Float64Array,
  bias: Float64Array | null,
  centred: boolean,
  width: number,
): Bound {
  // Of elements that sum to 0 and whose squares sum to the width, none is above the root of width - 1.
  const largest = Math.sqrt(centred ? width - 1 : width);
  const at = (c: number, sign: number): number => sign * Math.abs(gain[c % width]) * largest + (bias?.[c] ?? 0);
  const row = interval(
    Float64Array.from({ length: columns }, (_, c) => at(c, -1)),
    Float64Array.from({ length: columns }, (_, c) => at(c, 1)),
  );
  return width === columns ? { ...row, normed: { z: {}, radius: Math.sqrt(width), gain, bias, centred } } : row;
}

const sum = (x: Bound, y: Bound): Bound =>
  interval(
    x.low.map((value, c) => value + y.low[c]),
    x.high.map((value, c) => value + y.high[c]),
  );

/** A place below which each activation falls and above which it rises, and a number below its value there. */
const LOWEST: Readonly<Record<Activation, readonly [from: number, to: number, value: number]>> = {
  gelu: [-0.76, -0.75, -0.16998],
  geluTanh: [-0.76, -0.75, -0.17005],
  silu: [-1.28, -1.27, -0.27847],
  relu: [0, 0, 0],
};

function activated(x: Bound, kind: Activation): Bound {
  const f = ACTIVATE[kind];
  const [from, to, value] = LOWEST[kind];
  return interval(
    x.low.map((low, c) => (low < to && x.high[c] > from ? value : Math.min(f(low), f(x.high[c])))),
    x.high.map((high, c) => Math.max(f(x.low[c]), f(high))),
  );
}

function transpose(data: ArrayLike<number>, rows: number, columns: number): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = data[r * columns + c];
  return out;
}
