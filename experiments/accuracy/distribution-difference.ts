/** How far one model's next-token distributions lie from another's. */
export interface DistributionDifference {
  readonly rows: number;
  /** KL(expected || actual) in nats. */
  readonly meanKl: number;
  readonly maxKl: number;
  /** Rows whose most likely token is the same. */
  readonly sameTop: number;
  /** Of the rows whose most likely token is another: the margin between the expected model's first two logits. */
  readonly marginsOfOthers: readonly number[];
  /** Root mean square, over all rows, of how far that margin is off: what a margin has to be seen against. */
  readonly marginNoise: number;
}

/** Compares two sets of logits, [rows, vocabulary] each. Throws RangeError where they differ in size. */
export function distributionDifference(
  expected: ArrayLike<number>,
  actual: ArrayLike<number>,
  rows: number,
): DistributionDifference {
  if (expected.length !== actual.length || expected.length % rows !== 0)
    throw new RangeError(
      `logits: expected twice as many, in ${rows} rows, got ${expected.length} and ${actual.length}`,
    );
  const columns = expected.length / rows;
  let [sumKl, maxKl, sameTop, sumSquares] = [0, 0, 0, 0];
  const marginsOfOthers: number[] = [];
  for (let row = 0; row < rows; row++) {
    const from = row * columns;
    const kl = rowDivergence(expected, actual, from, columns);
    sumKl += kl;
    if (!(kl <= maxKl)) maxKl = kl; // NaN must not be lost
    const [first, second] = topTwo(expected, from, columns);
    const margin = expected[first] - expected[second];
    sumSquares += (margin - (actual[first] - actual[second])) ** 2;
    if (topTwo(actual, from, columns)[0] === first) sameTop++;
    else marginsOfOthers.push(margin);
  }
  return { rows, meanKl: sumKl / rows, maxKl, sameTop, marginsOfOthers, marginNoise: Math.sqrt(sumSquares / rows) };
}

/** Places of the largest and the second largest of `columns` values from `from`; of equals the first. */
export function topTwo(values: ArrayLike<number>, from: number, columns: number): [number, number] {
  let [first, second] = values[from] >= values[from + 1] ? [from, from + 1] : [from + 1, from];
  for (let at = from + 2; at < from + columns; at++)
    if (values[at] > values[first]) [first, second] = [at, first];
    else if (values[at] > values[second]) second = at;
  return [first, second];
}

/** KL of two softmax distributions given by logits, in float64. */
function rowDivergence(p: ArrayLike<number>, q: ArrayLike<number>, from: number, columns: number): number {
  const [logP, logQ] = [logSum(p, from, columns), logSum(q, from, columns)];
  let kl = 0;
  for (let at = from; at < from + columns; at++) {
    const log = p[at] - logP;
    kl += Math.exp(log) * (log - (q[at] - logQ));
  }
  return kl;
}

function logSum(values: ArrayLike<number>, from: number, columns: number): number {
  const largest = values[topTwo(values, from, columns)[0]];
  let sum = 0;
  for (let at = from; at < from + columns; at++) sum += Math.exp(values[at] - largest);
  return largest + Math.log(sum);
}
