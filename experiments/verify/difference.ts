/** Largest absolute difference, and the same over the largest expected magnitude (at least 1). NaN counts as Infinity. */
export function difference(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
): { absolute: number; relative: number } {
  if (actual.length !== expected.length) return { absolute: Infinity, relative: Infinity };
  let [absolute, magnitude] = [0, 1];
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]);
    if (!(error <= absolute)) absolute = Number.isNaN(error) ? Infinity : error;
    magnitude = Math.max(magnitude, Math.abs(expected[i]));
  }
  return { absolute, relative: absolute / magnitude };
}
