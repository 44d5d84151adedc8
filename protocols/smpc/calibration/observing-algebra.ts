import type { RightSide } from "../../../layers/onnx/float64-product.ts";
import type { Activation, Rope } from "../../../layers/model-spec.ts";
import type { Algebra } from "../../../layers/program.ts";
import { ACTIVATE } from "../../../layers/reference/algebra.ts";
import type { SiteNames } from "../lowering/ranges.ts";
import type { PartParameters } from "./readable-model.ts";
import type { SiteStatistics } from "./site-statistics.ts";

/** Rows of several sequences, one under the other, row-major. */
export interface Block {
  /** [rows, columns] */
  readonly data: Float64Array;
  readonly columns: number;
}

/** What an observation works with: one batch of rows at one part of the program. */
export interface Observation {
  /** Parameters of this part of the program; their float64 copies live as long as it runs. */
  readonly parameters: PartParameters;
  /** x [rows, inner] times y. */
  readonly product: (x: Float64Array, inner: number, y: RightSide) => Promise<Float64Array>;
  /** Token id and position of each row. */
  readonly ids: readonly number[];
  readonly positions: readonly number[];
  readonly names: SiteNames;
  readonly statistics: SiteStatistics;
  /** The rows that are observed, of all. */
  readonly observed: (block: Block) => Block;
}

/**
 * The float64 reading of a program that records the range of every value that SMPC opens. Sites are named in the order in which
 * the lowering asks for them. Values are promises, as products run in ONNX Runtime.
 */
export function observingAlgebra(at: Observation): Algebra<Promise<Block>> {
  const { names, statistics, observed } = at;
  const { parameter, float64 } = at.parameters;
  const multiply = async (x: Promise<Block>, name: string, bias: string | null, transposed: boolean) => {
    const { data, columns } = await x;
    const [a, b] = parameter(name).shape;
    const out = await at.product(data, columns, { data: float64(name), shape: [a, b], transposed });
    const width = transposed ? a : b;
    if (bias !== null) addToRows(out, float64(bias));
    return { data: out, columns: width };
  };
  const pick = (name: string, indices: readonly number[], what: string): Promise<Block> => {
    const { data, shape } = parameter(name);
    const [entries, columns] = shape;
    const out = new Float64Array(indices.length * columns);
    for (const [row, index] of indices.entries()) {
      if (!Number.isInteger(index) || index < 0 || index >= entries)
        throw new RangeError(`${what}: expected an integer from 0 to ${entries - 1}, got ${index}`);
      out.set(data.subarray(index * columns, (index + 1) * columns), row * columns);
    }
    return Promise.resolve({ data: out, columns });
  };
  const noteSize = (site: string, block: Block): void =>
    statistics.note(site, { maxAbs: maxAbs(observed(block).data) });
  const noteSquares = (site: string, block: Block, width: number): void => {
    const { data } = observed(block);
    statistics.note(site, { maxAbs: maxAbs(data), ...squaresOf(data, width) });
  };
  return {
    lookupTokens: (table) => pick(table, at.ids, "token id"),
    lookupPositions: (table, offset) =>
      pick(
        table,
        at.positions.map((t) => t + offset),
        "position",
      ),
    async addTableRow(x, table, index) {
      const { data, columns } = await x;
      const out = data.slice();
      addToRows(out, float64(table).subarray(index * columns, (index + 1) * columns));
      return { data: out, columns };
    },
    linear: (x, weight, bias) => multiply(x, weight, bias, false),
    unembed: (x, table, bias) => multiply(x, table, bias, true),
    add: (x, y) => both(x, y, (a, b) => a + b),
    multiply(x, y) {
      const sites = [names.next("operand"), names.next("operand")];
      return both(
        x,
        y,
        (a, b) => a * b,
        (a, b) => [a, b].forEach((block, i) => noteSize(sites[i], block)),
      );
    },
    scale: (x, factor) => each(x, (value) => value * factor),
    softCap(x, cap) {
      const site = names.next("softCap");
      return each(
        x,
        (value) => cap * Math.tanh(value / cap),
        (block) => noteSize(site, block),
      );
    },
    activate(x, kind: Activation) {
      const site = names.next("activation");
      return each(x, ACTIVATE[kind], (block) => {
        const columns = columnSizes(observed(block));
        statistics.note(site, { maxAbs: maxAbs(columns), columns });
      });
    },
    async layerNorm(x, gain, bias, epsilon) {
      const site = names.next("norm");
      const { data, columns } = await x;
      const centred = centreRows(data, columns);
      noteSquares(site, { data: centred, columns }, columns);
      const out = normalise(centred, columns, epsilon, float64(gain));
      if (bias !== null) addToRows(out, float64(bias));
      return { data: out, columns };
    },
    async rmsNorm(x, gain, epsilon, width) {
      const site = names.next("norm");
      const { data, columns } = await x;
      // A row of several groups lies like several rows.
      noteSquares(site, { data, columns }, width);
      return { data: normalise(data, width, epsilon, float64(gain)), columns };
    },
    async rotate(x, rope, headDim) {
      const { data, columns } = await x;
      return { data: rotateRows(data, columns, rope, headDim, at.positions), columns };
    },
  };
}

async function each(x: Promise<Block>, value: (x: number) => number, note?: (block: Block) => void): Promise<Block> {
  const block = await x;
  note?.(block);
  return { data: block.data.map((element) => value(element)), columns: block.columns };
}

async function both(
  x: Promise<Block>,
  y: Promise<Block>,
  value: (x: number, y: number) => number,
  note?: (x: Block, y: Block) => void,
): Promise<Block> {
  const [a, b] = await Promise.all([x, y]);
  note?.(a, b);
  return { data: a.data.map((element, i) => value(element, b.data[i])), columns: a.columns };
}

/** Largest magnitude of all elements; NaN or infinite where one of them is. */
export function maxAbs(data: Float64Array): number {
  let largest = 0;
  // NaN must not be lost in a comparison.
  for (const value of data) if (!(Math.abs(value) <= largest)) largest = Math.abs(value);
  return largest;
}

/** Largest magnitude of each column, [columns]. */
function columnSizes({ data, columns }: Block): Float64Array {
  const sizes = new Float64Array(columns);
  for (let i = 0, c = 0; i < data.length; i++, c++) {
    if (c === columns) c = 0;
    if (!(Math.abs(data[i]) <= sizes[c])) sizes[c] = Math.abs(data[i]);
  }
  return sizes;
}

/** Adds a vector [columns] to every row, in place. */
function addToRows(data: Float64Array, vector: Float64Array): void {
  for (let i = 0, c = 0; i < data.length; i++, c++) {
    if (c === vector.length) c = 0;
    data[i] += vector[c];
  }
}

function centreRows(data: Float64Array, columns: number): Float64Array {
  const out = data.slice();
  for (let from = 0; from < data.length; from += columns) {
    let sum = 0;
    for (let i = from; i < from + columns; i++) sum += data[i];
    const mean = sum / columns;
    for (let i = from; i < from + columns; i++) out[i] -= mean;
  }
  return out;
}

/** Groups of `width` divided by their root mean square, times the gain [width]. */
function normalise(data: Float64Array, width: number, epsilon: number, gain: Float64Array): Float64Array {
  const out = new Float64Array(data.length);
  for (let from = 0; from < data.length; from += width) {
    const factor = 1 / Math.sqrt(meanSquare(data, from, width) + epsilon);
    for (let i = 0; i < width; i++) out[from + i] = data[from + i] * factor * gain[i];
  }
  return out;
}

/** The smallest and the largest mean square of groups of `width`. */
function squaresOf(data: Float64Array, width: number): { minSquare: number; maxSquare: number } {
  let [minSquare, maxSquare] = [Infinity, 0];
  for (let from = 0; from < data.length; from += width) {
    const square = meanSquare(data, from, width);
    minSquare = Math.min(minSquare, square);
    maxSquare = Math.max(maxSquare, square);
  }
  return { minSquare, maxSquare };
}

function meanSquare(data: Float64Array, from: number, width: number): number {
  let sum = 0;
  for (let i = from; i < from + width; i++) sum += data[i] * data[i];
  return sum / width;
}

function rotateRows(
  data: Float64Array,
  columns: number,
  { inverseFrequencies }: Rope,
  headDim: number,
  positions: readonly number[],
): Float64Array {
  const out = new Float64Array(data.length);
  const half = headDim / 2;
  for (const [row, position] of positions.entries()) {
    for (let i = 0; i < half; i++) {
      const angle = position * inverseFrequencies[i];
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      for (let a = row * columns + i; a < (row + 1) * columns; a += headDim) {
        out[a] = data[a] * cos - data[a + half] * sin;
        out[a + half] = data[a + half] * cos + data[a] * sin;
      }
    }
  }
  return out;
}
