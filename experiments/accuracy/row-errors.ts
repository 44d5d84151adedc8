/** How far rows lie from what is expected, element by element. */
export interface RowErrors {
  readonly max: number;
  readonly mean: number;
  /** Largest expected magnitude: what the errors are to be seen against. */
  readonly magnitude: number;
}

/** Compares two sets of rows of one size; NaN counts as infinite. Throws RangeError where they differ in size. */
export function rowErrors(actual: ArrayLike<number>, expected: ArrayLike<number>): RowErrors {
  if (actual.length !== expected.length)
    throw new RangeError(`rows: expected ${expected.length} values, got ${actual.length}`);
  let [max, sum, magnitude] = [0, 0, 0];
  for (let at = 0; at < expected.length; at++) {
    const error = Math.abs(actual[at] - expected[at]);
    if (!(error <= max)) max = Number.isNaN(error) ? Infinity : error;
    sum += error;
    magnitude = Math.max(magnitude, Math.abs(expected[at]));
  }
  return { max, mean: sum / expected.length, magnitude };
}
