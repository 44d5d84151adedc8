/** Rows of equal width side by side, [rows, width]. */
export function joinedRows(rows: readonly ArrayLike<number>[]): Float64Array {
  const all = new Float64Array(rows.length * rows[0].length);
  rows.forEach((row, at) => all.set(row, at * row.length));
  return all;
}
