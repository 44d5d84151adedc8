import { EigenvalueDecomposition, Matrix } from "ml-matrix";

/** Sum of the squared singular values of a matrix [rows][columns] but the `strongest` largest. */
export function tailEnergy(rows: readonly Float64Array[], strongest: number): number {
  const all = rows.reduce((sum, row) => row.reduce((part, x) => part + x * x, sum), 0);
  if (strongest === 0) return all;
  const gram = gramOf(rows.length <= rows[0].length ? rows : transposed(rows));
  if (strongest >= gram.rows) return 0;
  const values = new EigenvalueDecomposition(gram, { assumeSymmetric: true }).realEigenvalues;
  const ascending = [...values].sort((a, b) => a - b);
  return ascending.slice(0, ascending.length - strongest).reduce((sum, value) => sum + Math.max(0, value), 0);
}

function gramOf(rows: readonly Float64Array[]): Matrix {
  const gram = new Matrix(rows.length, rows.length);
  rows.forEach((row, r) => {
    for (let other = 0; other <= r; other++) {
      const dot = row.reduce((sum, x, i) => sum + x * rows[other][i], 0);
      gram.set(r, other, dot);
      gram.set(other, r, dot);
    }
  });
  return gram;
}

const transposed = (rows: readonly Float64Array[]): Float64Array[] =>
  Array.from(rows[0], (_, column) => Float64Array.from(rows, (row) => row[column]));
