import type { AttentionSpec } from "../../../layers/program.ts";

/** Rows that attend, and what they attend to; row-major. */
export interface AttendedRows {
  /** [queries, heads * headDim] */
  readonly q: Float64Array;
  /** [keys, kvHeads * headDim] */
  readonly k: Float64Array;
  readonly v: Float64Array;
  /** Of the first query and of the first key; the others follow. */
  readonly firstQuery: number;
  readonly firstKey: number;
}

/** From so many queries on a head's keys and values are copied together: rows that lie far apart don't stay in the caches. */
const MANY_QUERIES = 8;

/** Softmax attention in float64, [queries, heads * headDim]; a query that sees no key is a row of zeros. */
export function attendRows(spec: AttentionSpec, { q, k, v, firstQuery, firstKey }: AttendedRows): Float64Array {
  const { heads, kvHeads, headDim } = spec;
  const [queryWidth, keyWidth] = [heads * headDim, kvHeads * headDim];
  const [queries, keys] = [q.length / queryWidth, k.length / keyWidth];
  const out = new Float64Array(q.length);
  const weights = new Float64Array(keys);
  const isCopied = queries >= MANY_QUERIES;
  const room = new Float64Array(isCopied ? 2 * keys * headDim : 0);
  const [keysOfHead, valuesOfHead] = [room.subarray(0, room.length / 2), room.subarray(room.length / 2)];
  for (let head = 0; head < heads; head++) {
    const from = Math.floor((head * kvHeads) / heads) * headDim;
    if (isCopied) {
      copyColumns(keysOfHead, k, from, keyWidth, headDim);
      copyColumns(valuesOfHead, v, from, keyWidth, headDim);
    }
    const keyRows: Rows = isCopied
      ? { data: keysOfHead, from: 0, stride: headDim }
      : { data: k, from, stride: keyWidth };
    const valueRows: Rows = isCopied ? { ...keyRows, data: valuesOfHead } : { ...keyRows, data: v };
    for (let query = 0; query < queries; query++) {
      const position = firstQuery + query;
      const first = spec.window === null ? 0 : Math.max(0, position - spec.window + 1 - firstKey);
      const end = spec.causal ? Math.min(keys, position + 1 - firstKey) : keys;
      const at = query * queryWidth + head * headDim;
      softmaxOf(spec, q, at, keyRows, first, end, weights);
      mix(out, at, headDim, valueRows, first, end, weights);
    }
  }
  return out;
}

/** Rows of one head within an array: row i begins at from + i * stride. */
interface Rows {
  readonly data: Float64Array;
  readonly from: number;
  readonly stride: number;
}

function copyColumns(out: Float64Array, x: Float64Array, from: number, width: number, columns: number): void {
  for (let at = 0, row = from; at < out.length; at += columns, row += width)
    for (let i = 0; i < columns; i++) out[at + i] = x[row + i];
}

// Functions of their own so that they are soon compiled; several sums at once, which don't wait for one another.

/** Sets weights[first .. end) to the softmax of one query's logits. */
function softmaxOf(
  { scale, softCap, headDim }: AttentionSpec,
  q: Float64Array,
  at: number,
  keys: Rows,
  first: number,
  end: number,
  weights: Float64Array,
): void {
  const { data, from, stride } = keys;
  let most = -Infinity;
  for (let key = first; key < end; key++) {
    const dot = scale * dotOf(q, at, data, from + key * stride, headDim);
    const logit = softCap === null ? dot : softCap * Math.tanh(dot / softCap);
    weights[key] = logit;
    if (logit > most) most = logit;
  }
  let sum = 0;
  for (let key = first; key < end; key++) sum += weights[key] = Math.exp(weights[key] - most);
  for (let key = first; key < end; key++) weights[key] /= sum;
}

function dotOf(x: Float64Array, xAt: number, y: Float64Array, yAt: number, length: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    a += x[xAt + i] * y[yAt + i];
    b += x[xAt + i + 1] * y[yAt + i + 1];
    c += x[xAt + i + 2] * y[yAt + i + 2];
    d += x[xAt + i + 3] * y[yAt + i + 3];
  }
  for (; i < length; i++) a += x[xAt + i] * y[yAt + i];
  return a + b + (c + d);
}

/** out[at .. at + headDim) += the sum of weights[key] times row `key`: four rows at a time, so that out is written a quarter as often. */
function mix(
  out: Float64Array,
  at: number,
  headDim: number,
  { data, from, stride }: Rows,
  first: number,
  end: number,
  weights: Float64Array,
): void {
  let key = first;
  for (; key + 4 <= end; key += 4) {
    const w0 = weights[key];
    const w1 = weights[key + 1];
    const w2 = weights[key + 2];
    const w3 = weights[key + 3];
    const at0 = from + key * stride;
    const at1 = at0 + stride;
    const at2 = at1 + stride;
    const at3 = at2 + stride;
    for (let i = 0; i < headDim; i++)
      out[at + i] += w0 * data[at0 + i] + w1 * data[at1 + i] + (w2 * data[at2 + i] + w3 * data[at3 + i]);
  }
  for (; key < end; key++) {
    const row = from + key * stride;
    for (let i = 0; i < headDim; i++) out[at + i] += weights[key] * data[row + i];
  }
}
