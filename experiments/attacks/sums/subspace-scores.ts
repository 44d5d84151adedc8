/**
 * Which tokens fit a matrix of sums, whatever the others are? G [rows, headDim] = Σ_s w_s v_sᵀ has the values of the n unknown tokens as
 * its row space and their weights as its column space: where n is less than both, a token's value lies in the one and its weights at the
 * right position in the other, and no other token's do (MUSIC: Schmidt, IEEE Trans. Antennas Propag. 34 (1986)).
 */

/** Sums of one value head, each row divided by its noise. */
export interface SumMatrix {
  /** [rows][headDim] */
  readonly rows: readonly Float64Array[];
}

/** Orthonormal bases of the n dominant directions of a matrix. */
export interface DominantSpaces {
  /** [at most n][headDim] */
  readonly values: readonly Float64Array[];
  /** [at most n][rows] */
  readonly weights: readonly Float64Array[];
  /** The matrix between them, [n][n], upper triangular: G is nearly weightsᵀ · core · values. */
  readonly core: readonly Float64Array[];
}

/** Rounds of orthogonal iteration after pivoted elimination: two digits of the space each where singular values part by ten. */
const POLISH_ROUNDS = 3;

/** Dominant row and column spaces of dimension n (or of the rank, where that is less). */
export function dominantSpaces({ rows }: SumMatrix, n: number): DominantSpaces {
  const width = rows[0].length;
  let values = pivoted(rows, n);
  for (let round = 0; round < POLISH_ROUNDS; round++)
    values = orthonormal(values.map((q) => back(rows, along(rows, q), width)));
  const columns = values.map((q) => along(rows, q));
  const weights = orthonormal(columns);
  const core = weights.map((w) => Float64Array.from(columns, (column) => dot(w, column)));
  return { values, weights, core };
}

/**
 * v G⁺ w for a value and its weights: 1 where G less w vᵀ has a rank less by one, which is where both are of the same unknown key
 * (Wedderburn's rank reduction, 1934).
 */
export function pairing({ values, weights, core }: DominantSpaces, value: Float64Array, column: Float64Array): number {
  const n = weights.length;
  const solved = new Float64Array(n);
  for (let i = n - 1; i >= 0; i--) {
    let sum = dot(weights[i], column);
    for (let j = i + 1; j < n; j++) sum -= core[i][j] * solved[j];
    solved[i] = sum / core[i][i];
  }
  let pair = 0;
  for (let i = 0; i < n; i++) pair += solved[i] * dot(values[i], value);
  return pair;
}

/**
 * Moves each row along its own direction so that the matrix comes as near rank n as it can: the sums of merged rows are known up to such
 * a multiple. `rows` are changed; returns the multiples [rows].
 */
export function alignRows(
  rows: readonly Float64Array[],
  directions: readonly Float64Array[],
  n: number,
  rounds: number,
): Float64Array {
  const moved = new Float64Array(rows.length);
  for (let round = 0; round < rounds; round++) {
    const { values } = dominantSpaces({ rows }, n);
    rows.forEach((row, r) => {
      const off = without(row, values);
      const way = without(directions[r], values);
      const size = dot(way, way);
      if (size < 1e-12 * dot(directions[r], directions[r])) return;
      const step = -dot(off, way) / size;
      moved[r] += step;
      for (let i = 0; i < row.length; i++) row[i] += step * directions[r][i];
    });
  }
  return moved;
}

/** Share of a vector's square that lies outside a space with this orthonormal basis. */
export function outside(vector: Float64Array, basis: readonly Float64Array[]): number {
  const all = dot(vector, vector);
  if (all === 0) return 1;
  const rest = without(vector, basis);
  return dot(rest, rest) / all;
}

/** The n rows of a matrix that elimination with row pivoting takes, orthonormal. */
function pivoted(rows: readonly Float64Array[], n: number): Float64Array[] {
  const left = rows.map((row) => row.slice());
  const basis: Float64Array[] = [];
  while (basis.length < n) {
    const sizes = left.map((row) => dot(row, row));
    const largest = sizes.reduce((best, size, r) => (size > sizes[best] ? r : best), 0);
    if (!(sizes[largest] > 0)) break;
    const q = left[largest].map((x) => x / Math.sqrt(sizes[largest]));
    basis.push(q);
    for (const row of left) {
      const share = dot(row, q);
      for (let i = 0; i < row.length; i++) row[i] -= share * q[i];
    }
  }
  return orthonormal(basis);
}

/** An orthonormal basis of the vectors' span: Gram and Schmidt, twice. */
export function orthonormal(vectors: readonly Float64Array[]): Float64Array[] {
  const basis: Float64Array[] = [];
  for (const vector of vectors) {
    const rest = without(without(vector, basis), basis);
    const size = Math.sqrt(dot(rest, rest));
    if (size > 1e-14 * Math.sqrt(dot(vector, vector))) basis.push(rest.map((x) => x / size));
  }
  return basis;
}

/** The part of a vector outside a space with this orthonormal basis. */
export function without(vector: Float64Array, basis: readonly Float64Array[]): Float64Array {
  const rest = vector.slice();
  for (const q of basis) {
    const share = dot(rest, q);
    for (let i = 0; i < rest.length; i++) rest[i] -= share * q[i];
  }
  return rest;
}

/** G q, [rows] */
const along = (rows: readonly Float64Array[], q: Float64Array): Float64Array =>
  Float64Array.from(rows, (row) => dot(row, q));

/** Gᵀ y, [width] */
function back(rows: readonly Float64Array[], y: Float64Array, width: number): Float64Array {
  const out = new Float64Array(width);
  rows.forEach((row, r) => {
    for (let i = 0; i < width; i++) out[i] += y[r] * row[i];
  });
  return out;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
