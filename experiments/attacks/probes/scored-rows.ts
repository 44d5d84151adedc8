import type { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { best } from "./linear-probe.ts";
import type { RowProbe } from "./row-probe.ts";

/** Scores held at a time: 64 MiB. */
const MOST_SCORES = 1 << 23;

/** A probe's scores [classes] of rows [rows, width], one row after the other, computed many at a time; `wanted`: which rows, in their order. */
export async function* scoredRows(
  product: Float64Product,
  probe: RowProbe,
  rows: Float32Array,
  wanted: readonly number[],
): AsyncGenerator<{ readonly row: number; readonly scores: Float64Array }> {
  const { width, classes } = probe;
  const step = Math.max(1, Math.floor(MOST_SCORES / classes));
  for (let from = 0; from < wanted.length; from += step) {
    const some = wanted.slice(from, from + step);
    const block = new Float32Array(some.length * width);
    some.forEach((row, at) => block.set(rows.subarray(row * width, (row + 1) * width), at * width));
    const scores = await probe.scoreAll(product, block);
    for (const [at, row] of some.entries()) yield { row, scores: scores.subarray(at * classes, (at + 1) * classes) };
  }
}

/** The `count` likeliest tokens of each row [rows, width], best first. */
export async function likeliestTokens(
  product: Float64Product,
  probe: RowProbe,
  rows: Float32Array,
  count: number,
): Promise<number[][]> {
  const all = Array.from({ length: rows.length / probe.width }, (_, row) => row);
  const ids: number[][] = [];
  for await (const { scores } of scoredRows(product, probe, rows, all)) ids.push(best(scores, count).ids);
  return ids;
}
