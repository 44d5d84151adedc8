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

/** x y: [rows, inner] · [inner, columns] -> [rows, columns]. Views of any strides, so a transpose costs nothing. */
export function product(x: Matrix, y: Matrix): Matrix {
  const [rows, inner] = x.shape;
  const columns = y.shape[1];
  if (y.shape[0] !== inner)
    throw new RangeError(`product: expected [${inner}, n] on the right, got [${y.shape.join(", ")}]`);
  const out = zeros(rows, columns);
  const [a, b, c] = [x.data, y.data, out.data];
  for (let r = 0; r < rows; r++) {
    const xRow = x.offset + r * x.stride[0];
    for (let i = 0; i < inner; i++) {
      const factor = a[xRow + i * x.stride[1]];
      let at = y.offset + i * y.stride[0];
      for (let j = r * columns; j < (r + 1) * columns; j++, at += y.stride[1]) c[j] += factor * b[at];
    }
  }
  return out;
}
