import { EigenvalueDecomposition, Matrix } from "ml-matrix";

/** Sum of the squared singular values of a matrix [rows][columns] but the `strongest` largest. */
export function tailEnergy(rows: readonly Float64Array[], strongest: number): number {
  const all = rows.reduce((sum, row) => row.reduce((part, x) => part + x * x, sum), 0);
  if (strongest === 0 || all === 0) return all;
  const gram = gramOf(rows.length <= rows[0].length ? rows : transposed(rows), all);
  if (strongest >= gram.rows) return 0;
  const values = new EigenvalueDecomposition(gram, { assumeSymmetric: true }).realEigenvalues;
  const ascending = [...values].sort((a, b) => a - b);
  const tail = ascending.slice(0, ascending.length - strongest);
  return all * tail.reduce((sum, value) => sum + Math.max(0, value), 0);
}

/** Smaller entries are nothing beside the whole; numbers that underflow send the library's iteration beyond the matrix. */
const LEAST_ENTRY = 1e-30;

/** Products of all rows [rows, rows] over `unit`. */
function gramOf(rows: readonly Float64Array[], unit: number): Matrix {
  const gram = new Matrix(rows.length, rows.length);
  rows.forEach((row, r) => {
    for (let other = 0; other <= r; other++) {
      const dot = row.reduce((sum, x, i) => sum + x * rows[other][i], 0) / unit;
      const entry = Math.abs(dot) < LEAST_ENTRY ? 0 : dot;
      gram.set(r, other, entry);
      gram.set(other, r, entry);
    }
  });
  return gram;
}

const transposed = (rows: readonly Float64Array[]): Float64Array[] =>
  Array.from(rows[0], (_, column) => Float64Array.from(rows, (row) => row[column]));
