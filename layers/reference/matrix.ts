import ndarray from "ndarray";
import type { NdArray } from "ndarray";
import type { FloatArray, Tensor } from "../tensor.ts";

/** A strided view [rows, columns] of numbers; everything that is computed is float64. */
export type Matrix = NdArray<FloatArray>;

/** A zeroed float64 matrix [rows, columns]. */
export const zeros = (rows: number, columns: number): Matrix =>
  ndarray(new Float64Array(rows * columns), [rows, columns]);

/** A view of a tensor [rows, columns]; nothing is copied. */
export const matrixOf = (tensor: Tensor): Matrix => ndarray(tensor.data, [...tensor.shape]);

/** A matrix as a row-major tensor; copied unless it lies so already. */
export function tensorOf(matrix: Matrix): Tensor<Float64Array> {
  const [rows, columns] = matrix.shape;
  const isDense =
    matrix.offset === 0 &&
    matrix.stride[0] === columns &&
    matrix.stride[1] === 1 &&
    matrix.data.length === rows * columns;
  if (isDense && matrix.data instanceof Float64Array) return { data: matrix.data, shape: [rows, columns] };
  return { data: build(rows, columns, (r, c) => matrix.get(r, c)).data as Float64Array, shape: [rows, columns] };
}

/** The matrix [rows, columns] of value(row, column). */
export function build(rows: number, columns: number, value: (row: number, column: number) => number): Matrix {
  const out = zeros(rows, columns);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out.set(r, c, value(r, c));
  return out;
}

/** Columns of the right side that are copied and multiplied together: their sums fit into registers. */
const PANEL = 4;

/**
 * x y: [rows, inner] · [inner, columns] -> [rows, columns]. Views of any strides, so a transpose costs nothing. Every element is a sum
 * over `inner` in order.
 */
export function product(x: Matrix, y: Matrix): Matrix {
  const [rows, inner] = x.shape;
  const columns = y.shape[1];
  if (y.shape[0] !== inner)
    throw new RangeError(`product: expected [${inner}, n] on the right, got [${y.shape.join(", ")}]`);
  const out = zeros(rows, columns);
  const left = tensorOf(x).data;
  const panel = new Float64Array(inner * PANEL);
  for (let from = 0; from < columns; from += PANEL) {
    const count = Math.min(PANEL, columns - from);
    for (let i = 0; i < inner; i++) {
      const at = y.offset + i * y.stride[0] + from * y.stride[1];
      for (let j = 0; j < count; j++) panel[i * PANEL + j] = y.data[at + j * y.stride[1]];
    }
    multiplyPanel(left, panel, out.data as Float64Array, { rows, inner, columns, from, count });
  }
  return out;
}

/** Columns [from, from + count) of out [rows, columns] = left [rows, inner] · panel [inner, PANEL]. */
function multiplyPanel(
  left: Float64Array,
  panel: Float64Array,
  out: Float64Array,
  at: {
    readonly rows: number;
    readonly inner: number;
    readonly columns: number;
    readonly from: number;
    readonly count: number;
  },
): void {
  const { rows, inner, columns, from, count } = at;
  for (let row = 0; row < rows; row++) {
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let i = row * inner, p = 0; p < panel.length; i++, p += PANEL) {
      const factor = left[i];
      a += factor * panel[p];
      b += factor * panel[p + 1];
      c += factor * panel[p + 2];
      d += factor * panel[p + 3];
    }
    const to = row * columns + from;
    out[to] = a;
    if (count > 1) out[to + 1] = b;
    if (count > 2) out[to + 2] = c;
    if (count > 3) out[to + 3] = d;
  }
}
