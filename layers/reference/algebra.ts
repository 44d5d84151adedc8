import ndarray from "ndarray";
import type { Activation, Rope } from "../model-spec.ts";
import type { Algebra } from "../program.ts";
import { erf } from "./erf.ts";
import { build, product, type Matrix } from "./matrix.ts";

/** Rows that a stage works on: their token ids (needed by embed alone) and global positions. */
export interface Rows {
  readonly ids: readonly number[];
  readonly positions: readonly number[];
}

/**
 * The float64 reading of a program: what every operation of the algebra means. Small, exact and slow.
 * `parameter` gives canonical parameters; `rows` says which rows of the sequence a stage holds.
 */
export function referenceAlgebra(
  parameter: (name: string) => { data: Float32Array; shape: readonly number[] },
  rows: Rows,
): Algebra<Matrix> {
  const table = (name: string): Matrix => {
    const { data, shape } = parameter(name);
    return ndarray(data, [...shape]);
  };
  const vector = (name: string): Float32Array => parameter(name).data;
  const addBias = (x: Matrix, bias: string | null): Matrix => {
    if (bias === null) return x;
    const b = vector(bias); // [columns]
    return map(x, (value, _r, c) => value + b[c]);
  };
  return {
    lookupTokens: (name) => pickRows(table(name), rows.ids, "token id"),
    lookupPositions: (name, offset) =>
      pickRows(
        table(name),
        rows.positions.map((t) => t + offset),
        "position",
      ),
    addTableRow(x, name, index) {
      const row = pickRows(table(name), [index], "row");
      return map(x, (value, _r, c) => value + row.get(0, c));
    },
    linear: (x, weight, bias) => addBias(product(x, table(weight)), bias),
    unembed: (x, name, bias) => addBias(product(x, table(name).transpose(1, 0)), bias),
    add: (x, y) => map(x, (value, r, c) => value + y.get(r, c)),
    multiply: (x, y) => map(x, (value, r, c) => value * y.get(r, c)),
    scale: (x, factor) => map(x, (value) => value * factor),
    softCap: (x, cap) => map(x, (value) => cap * Math.tanh(value / cap)),
    activate: (x, kind) => map(x, ACTIVATE[kind]),
    layerNorm(x, gain, bias, epsilon) {
      const g = vector(gain);
      const b = bias === null ? null : vector(bias);
      const [mean, deviation] = [rowMeans(x, (value) => value), new Float64Array(x.shape[0])];
      const centred = map(x, (value, r) => value - mean[r]);
      rowMeans(centred, (value) => value * value).forEach(
        (variance, r) => (deviation[r] = Math.sqrt(variance + epsilon)),
      );
      return map(centred, (value, r, c) => (value / deviation[r]) * g[c] + (b?.[c] ?? 0));
    },
    rmsNorm(x, gain, epsilon, width) {
      const g = vector(gain);
      const groups = x.shape[1] / width;
      const square = build(x.shape[0], groups, (r, group) => {
        let sum = 0;
        for (let i = 0; i < width; i++) sum += x.get(r, group * width + i) ** 2;
        return Math.sqrt(sum / width + epsilon);
      });
      return map(x, (value, r, c) => (value / square.get(r, Math.floor(c / width))) * g[c % width]);
    },
    rotate: (x, rope, headDim) => rotateHalves(x, rope, headDim, rows.positions),
  };
}

/** Each head [headDim] as headDim / 2 pairs (i, i + headDim / 2), pair i turned by position · inverseFrequencies[i]. */
function rotateHalves(x: Matrix, rope: Rope, headDim: number, positions: readonly number[]): Matrix {
  const half = headDim / 2;
  return map(x, (value, r, c) => {
    const inHead = c % headDim;
    const angle = positions[r] * rope.inverseFrequencies[inHead % half];
    const other = inHead < half ? -x.get(r, c + half) : x.get(r, c - half);
    return value * Math.cos(angle) + other * Math.sin(angle);
  });
}

/** Every activation in float64. */
export const ACTIVATE: Readonly<Record<Activation, (x: number) => number>> = {
  gelu: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  geluTanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  silu: (x) => x / (1 + Math.exp(-x)),
  relu: (x) => Math.max(0, x),
};

const map = (x: Matrix, value: (value: number, row: number, column: number) => number): Matrix =>
  build(x.shape[0], x.shape[1], (r, c) => value(x.get(r, c), r, c));

function rowMeans(x: Matrix, value: (value: number) => number): Float64Array {
  const [rows, columns] = x.shape;
  return Float64Array.from({ length: rows }, (_, r) => {
    let sum = 0;
    for (let c = 0; c < columns; c++) sum += value(x.get(r, c));
    return sum / columns;
  });
}

function pickRows(table: Matrix, indices: readonly number[], what: string): Matrix {
  const wrong = indices.find((index) => !Number.isInteger(index) || index < 0 || index >= table.shape[0]);
  if (wrong !== undefined)
    throw new RangeError(`${what}: expected an integer from 0 to ${table.shape[0] - 1}, got ${wrong}`);
  return build(indices.length, table.shape[1], (r, c) => table.get(indices[r], c));
}
