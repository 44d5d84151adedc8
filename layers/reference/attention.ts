import type { AttentionSpec } from "../program.ts";
import type { PartialAttention } from "../stage-engine.ts";
import { build, product, tensorOf, zeros, type Matrix } from "./matrix.ts";

/** Query or key rows with their global positions, in any order. */
export interface Placed {
  /** [rows, heads·headDim], or [rows, kvHeads·headDim] for keys and values */
  readonly rows: Matrix;
  /** [rows] */
  readonly positions: readonly number[];
}

/** Does the query at `query` see the key at `key`? */
export const isVisible = (spec: AttentionSpec, query: number, key: number): boolean =>
  (!spec.causal || key <= query) && (spec.window === null || query - key < spec.window);

/**
 * Unnormalised softmax over these keys alone: m = max, e = Σ exp(a - m), u = Σ exp(a - m) v for each query and head.
 * A query that sees no key has m = -Infinity, e = 0, u = 0.
 */
export function partialAttention(spec: AttentionSpec, q: Placed, k: Placed, v: Matrix): PartialAttention {
  const rows = q.positions.length;
  const u = zeros(rows, spec.heads * spec.headDim);
  const m = build(rows, spec.heads, () => -Infinity);
  const e = zeros(rows, spec.heads);
  for (let head = 0; head < spec.heads; head++) {
    const logits = headLogits(spec, head, q, k); // [queries, keys], -Infinity where masked
    for (let r = 0; r < rows; r++) {
      let max = -Infinity;
      for (let s = 0; s < logits.shape[1]; s++) max = Math.max(max, logits.get(r, s));
      m.set(r, head, max);
      // With nothing visible exp(-Infinity - -Infinity) would be NaN; every weight is 0.
      const weights = build(1, logits.shape[1], (_, s) => (max === -Infinity ? 0 : Math.exp(logits.get(r, s) - max)));
      e.set(r, head, sum(weights));
      const mixed = product(weights, headColumns(v, keyHead(spec, head), spec.headDim)); // [1, headDim]
      for (let i = 0; i < spec.headDim; i++) u.set(r, head * spec.headDim + i, mixed.get(0, i));
    }
  }
  return { u: tensorOf(u), m: tensorOf(m), e: tensorOf(e) };
}

/**
 * Ordinary softmax attention over all keys at once, not by partial results: the truth that sharded attention is held against.
 * [queries, heads·headDim]. Throws RangeError for a query that sees no key, which ordinary attention has no answer for.
 */
export function plainAttention(spec: AttentionSpec, q: Placed, k: Placed, v: Matrix): Matrix {
  const out = zeros(q.positions.length, spec.heads * spec.headDim);
  for (let head = 0; head < spec.heads; head++) {
    const probabilities = softmaxRows(headLogits(spec, head, q, k)); // [queries, keys]
    const mixed = product(probabilities, headColumns(v, keyHead(spec, head), spec.headDim)); // [queries, headDim]
    for (let r = 0; r < mixed.shape[0]; r++)
      for (let i = 0; i < spec.headDim; i++) out.set(r, head * spec.headDim + i, mixed.get(r, i));
  }
  return out;
}

/** scale · q·k of one head, soft-capped, -Infinity where the query doesn't see the key: [queries, keys] */
function headLogits(spec: AttentionSpec, head: number, q: Placed, k: Placed): Matrix {
  const queries = headColumns(q.rows, head, spec.headDim); // [queries, headDim]
  const keys = headColumns(k.rows, keyHead(spec, head), spec.headDim); // [keys, headDim]
  const dots = product(queries, keys.transpose(1, 0)); // [queries, keys]
  const { scale, softCap } = spec;
  return build(q.positions.length, k.positions.length, (r, s) => {
    if (!isVisible(spec, q.positions[r], k.positions[s])) return -Infinity;
    const logit = scale * dots.get(r, s);
    return softCap === null ? logit : softCap * Math.tanh(logit / softCap);
  });
}

function softmaxRows(logits: Matrix): Matrix {
  const [rows, columns] = logits.shape;
  const out = zeros(rows, columns);
  for (let r = 0; r < rows; r++) {
    let max = -Infinity;
    for (let c = 0; c < columns; c++) max = Math.max(max, logits.get(r, c));
    if (max === -Infinity)
      throw new RangeError(`plainAttention: expected a visible key for every query, got none for query row ${r}`);
    let total = 0;
    for (let c = 0; c < columns; c++) total += Math.exp(logits.get(r, c) - max);
    for (let c = 0; c < columns; c++) out.set(r, c, Math.exp(logits.get(r, c) - max) / total);
  }
  return out;
}

const keyHead = (spec: AttentionSpec, head: number): number => Math.floor((head * spec.kvHeads) / spec.heads);

/** The columns of one head as a view [rows, headDim]. */
const headColumns = (x: Matrix, head: number, headDim: number): Matrix =>
  x.lo(0, head * headDim).hi(x.shape[0], headDim);

function sum(row: Matrix): number {
  let total = 0;
  for (let c = 0; c < row.shape[1]; c++) total += row.get(0, c);
  return total;
}
