/** A linear or mixed-integer program: least cost·x with rowLower <= A x <= rowUpper, lower <= x <= upper, some x integer. */
export interface LinearProgram {
  readonly rows: number;
  readonly columns: number;
  /** A by columns: entries of column j are [starts[j], starts[j + 1]). */
  readonly starts: Int32Array<ArrayBuffer>;
  readonly indices: Int32Array<ArrayBuffer>;
  readonly values: Float64Array<ArrayBuffer>;
  /** [columns] */
  readonly cost: Float64Array<ArrayBuffer>;
  readonly lower: Float64Array<ArrayBuffer>;
  readonly upper: Float64Array<ArrayBuffer>;
  /** [columns], 1: integer; null: all continuous */
  readonly integer: Int32Array<ArrayBuffer> | null;
  /** [rows] */
  readonly rowLower: Float64Array<ArrayBuffer>;
  readonly rowUpper: Float64Array<ArrayBuffer>;
}

/** One column before the program is put together. */
export interface ProgramColumn {
  readonly cost: number;
  readonly lower: number;
  readonly upper: number;
  readonly integer?: boolean;
  readonly indices: ArrayLike<number>;
  readonly values: ArrayLike<number>;
}

/** Puts columns and row bounds together. Throws RangeError for an entry in a row that isn't there. */
export function linearProgram(
  columns: readonly ProgramColumn[],
  rowLower: ArrayLike<number>,
  rowUpper: ArrayLike<number>,
): LinearProgram {
  const rows = rowLower.length;
  const nonzeros = columns.reduce((sum, { indices }) => sum + indices.length, 0);
  const starts = new Int32Array(columns.length + 1);
  const indices = new Int32Array(nonzeros);
  const values = new Float64Array(nonzeros);
  columns.forEach((column, at) => {
    for (let entry = 0; entry < column.indices.length; entry++) {
      const row = column.indices[entry];
      if (row < 0 || row >= rows) throw new RangeError(`program: expected a row below ${rows}, got ${row}`);
    }
    indices.set(column.indices, starts[at]);
    values.set(column.values, starts[at]);
    starts[at + 1] = starts[at] + column.indices.length;
  });
  const integer = columns.some((column) => column.integer === true);
  return {
    rows,
    columns: columns.length,
    starts,
    indices,
    values,
    cost: Float64Array.from(columns, ({ cost }) => cost),
    lower: Float64Array.from(columns, ({ lower }) => lower),
    upper: Float64Array.from(columns, ({ upper }) => upper),
    integer: integer ? Int32Array.from(columns, (column) => (column.integer === true ? 1 : 0)) : null,
    rowLower: Float64Array.from(rowLower),
    rowUpper: Float64Array.from(rowUpper),
  };
}
