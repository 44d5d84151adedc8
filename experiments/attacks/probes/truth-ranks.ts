import type { Float64Product } from "../../../layers/onnx/float64-product.ts";
import type { RowProbe } from "./row-probe.ts";

/** Scores held at a time: 64 MiB. */
const MOST_SCORES = 1 << 23;

/** Rank of the true token of each row [rows, width] in a probe's order, 0 for the first; among equal scores the smaller id goes first. */
export async function truthRanks(
  product: Float64Product,
  probe: RowProbe,
  rows: Float32Array,
  truth: readonly number[],
): Promise<number[]> {
  const ranks: number[] = [];
  const step = Math.max(1, Math.floor(MOST_SCORES / probe.classes));
  for (let from = 0; from < truth.length; from += step) {
    const to = Math.min(truth.length, from + step);
    const scores = await probe.scoreAll(product, rows.subarray(from * probe.width, to * probe.width));
    for (let row = from; row < to; row++) {
      const at = (row - from) * probe.classes;
      ranks.push(rankOf(scores.subarray(at, at + probe.classes), truth[row]));
    }
  }
  return ranks;
}

/** Tokens that come before `id` in the order of `scores`. */
export function rankOf(scores: Float64Array, id: number): number {
  let before = 0;
  for (let other = 0; other < scores.length; other++)
    if (scores[other] > scores[id] || (scores[other] === scores[id] && other < id)) before++;
  return Number.isNaN(scores[id]) ? scores.length - 1 : before;
}
