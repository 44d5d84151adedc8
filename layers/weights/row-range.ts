import { ModelFileError, printable } from "../model-file-error.ts";

/**
 * Checks a request for rows [fromRow, toRow) of a stored tensor and gives the elements of one row.
 * @throws ModelFileError where the tensor lacks the rows; RangeError where `target` isn't of just that many elements.
 */
export function checkRows(
  file: string,
  name: string,
  shape: readonly number[],
  fromRow: number,
  toRow: number,
  target: Float32Array,
): number {
  const rows = shape[0] ?? 1;
  const columns = shape.slice(1).reduce((product, size) => product * size, 1);
  if (!Number.isInteger(fromRow) || !Number.isInteger(toRow) || fromRow < 0 || fromRow > toRow || toRow > rows) {
    throw new ModelFileError(file, `${printable(name)}: expected rows within [0, ${rows}), got [${fromRow}, ${toRow})`);
  }
  if (target.length !== (toRow - fromRow) * columns) {
    throw new RangeError(
      `readRows ${printable(name)}: expected a target of ${(toRow - fromRow) * columns} elements, got ${target.length}`,
    );
  }
  return columns;
}
