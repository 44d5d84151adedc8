import type { Float64Product } from "../../../layers/onnx/float64-product.ts";
import type { RowProbe } from "./row-probe.ts";
import { scoredRows } from "./scored-rows.ts";

/** Rank of the true token of each row [rows, width] in a probe's order, 0 for the first; among equal scores the smaller id goes first. */
export async function truthRanks(
  product: Float64Product,
  probe: RowProbe,
  rows: Float32Array,
  truth: readonly number[],
): Promise<number[]> {
  const ranks: number[] = [];
  for await (const { row, scores } of scoredRows(product, probe, rows, Array.from(truth.keys())))
    ranks.push(rankOf(scores, truth[row]));
  return ranks;
}

/** Tokens that come before `id` in the order of `scores`. */
export function rankOf(scores: Float64Array, id: number): number {
  let before = 0;
  for (let other = 0; other < scores.length; other++)
    if (scores[other] > scores[id] || (scores[other] === scores[id] && other < id)) before++;
  return Number.isNaN(scores[id]) ? scores.length - 1 : before;
}
