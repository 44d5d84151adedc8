/** 2-norms of the rows of values [rows, columns]; a row of zeros counts as 1, so that all can be divided by. */
export function rowNorms(values: Float64Array, rows: number): Float64Array {
  const columns = values.length / rows;
  return Float64Array.from({ length: rows }, (_, row) => {
    let squares = 0;
    for (let at = row * columns; at < (row + 1) * columns; at++) squares += values[at] * values[at];
    return squares === 0 ? 1 : Math.sqrt(squares);
  });
}
