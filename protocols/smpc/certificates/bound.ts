/**
 * What is known of all rows of a value, whatever the tokens are: an interval for each column, and for some values more.
 */
export interface Bound {
  /** [columns] */
  readonly low: Float64Array;
  readonly high: Float64Array;
  /** Smallest and largest mean square of a row, where it is known. */
  readonly squares: readonly [min: number, max: number] | null;
  /** The value is a normed row, gain and bias apart. */
  readonly normed: Normed | null;
  /** The value is a linear function of a normed row. */
  readonly image: Image | null;
  /** The value's magnitude is at most that of such a function, column by column. */
  readonly below: Image | null;
}

/** gain * z + bias, |z| <= radius (the root of the width: a row that has been divided by its root mean square). */
export interface Normed {
  /** The same object for the same z. */
  readonly z: object;
  readonly radius: number;
  /** [columns] */
  readonly gain: Float64Array;
  readonly bias: Float64Array | null;
  /** Do the elements of z sum to 0? */
  readonly centred: boolean;
}

/** Column j is vectors[:, j] . z + offset[j], |z| <= radius. */
export interface Image {
  readonly z: object;
  readonly radius: number;
  /** [inputs, columns] */
  readonly vectors: Float64Array;
  /** Euclidean length of each vector, [columns]. */
  readonly lengths: Float64Array;
  readonly offset: Float64Array;
}

/** Intervals alone. */
export const interval = (low: Float64Array, high: Float64Array): Bound => ({
  low,
  high,
  squares: null,
  normed: null,
  image: null,
  below: null,
});

/** Largest magnitude of each column, [columns]. */
export const magnitudes = ({ low, high }: Bound): Float64Array =>
  low.map((l, c) => Math.max(Math.abs(l), Math.abs(high[c])));

/** x W + bias of a normed row: each output by Cauchy-Schwarz. W [inputs, columns]. */
export function imageOfNormed(x: Normed, weight: Float64Array, columns: number, bias: Float64Array | null): Bound {
  const inputs = x.gain.length;
  const vectors = new Float64Array(inputs * columns);
  const offset = bias === null ? new Float64Array(columns) : bias.slice();
  const means = new Float64Array(columns);
  for (let i = 0; i < inputs; i++) {
    const shift = x.bias === null ? 0 : x.bias[i];
    for (let j = 0, at = i * columns; j < columns; j++, at++) {
      vectors[at] = x.gain[i] * weight[at];
      means[j] += vectors[at] / inputs;
      offset[j] += shift * weight[at];
    }
  }
  const lengths = new Float64Array(columns);
  for (let at = 0, j = 0; at < vectors.length; at++, j++) {
    if (j === columns) j = 0;
    // A constant vector times a z that sums to 0 is 0.
    if (x.centred) vectors[at] -= means[j];
    lengths[j] += vectors[at] * vectors[at];
  }
  for (let j = 0; j < columns; j++) lengths[j] = Math.sqrt(lengths[j]);
  const image = { z: x.z, radius: x.radius, vectors, lengths, offset };
  return {
    ...interval(
      offset.map((o, j) => o - x.radius * lengths[j]),
      offset.map((o, j) => o + x.radius * lengths[j]),
    ),
    image,
  };
}

/** x W + bias by intervals. */
export function imageOfInterval(x: Bound, weight: Float64Array, columns: number, bias: Float64Array | null): Bound {
  const low = bias === null ? new Float64Array(columns) : bias.slice();
  const high = low.slice();
  for (let i = 0; i < x.low.length; i++) {
    const [l, h] = [x.low[i], x.high[i]];
    for (let j = 0, at = i * columns; j < columns; j++, at++) {
      const w = weight[at];
      low[j] += w * (w > 0 ? l : h);
      high[j] += w * (w > 0 ? h : l);
    }
  }
  return interval(low, high);
}

/**
 * Largest |(a . z)(b . z)| over |z| <= R, column by column: R^2 (|a| |b| + |a . b|) / 2. null where x and y are not both such
 * functions of one z, or an offset is not 0.
 */
export function productBound(x: Image | null, y: Image | null): Float64Array | null {
  if (x === null || y === null || x.z !== y.z || [x, y].some(({ offset }) => offset.some((o) => o !== 0))) return null;
  const columns = x.lengths.length;
  const dots = new Float64Array(columns);
  for (let at = 0, j = 0; at < x.vectors.length; at++, j++) {
    if (j === columns) j = 0;
    dots[j] += x.vectors[at] * y.vectors[at];
  }
  return dots.map((dot, j) => (x.radius * y.radius * (x.lengths[j] * y.lengths[j] + Math.abs(dot))) / 2);
}
