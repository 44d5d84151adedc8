import type { AttentionSpec } from "../../../layers/program.ts";
import type { MixedRow } from "./mixed-rows.ts";

/** Logits of one query row and head for some keys [keys, kvHeads·headDim]: scale · q·k, soft-capped as the attention is; [keys]. */
export function rowLogits(attention: AttentionSpec, row: MixedRow, k: Float32Array): Float64Array {
  const { kvHeads, headDim, scale, softCap } = attention;
  const width = kvHeads * headDim;
  const offset = valueHeadOf(attention, row) * headDim;
  const logits = new Float64Array(k.length / width);
  for (let key = 0; key < logits.length; key++) {
    const from = key * width + offset;
    let sum = 0;
    for (let i = 0; i < headDim; i++) sum += row.query[i] * k[from + i];
    sum *= scale;
    logits[key] = softCap === null ? sum : softCap * Math.tanh(sum / softCap);
  }
  return logits;
}

/** The key/value head that a row's query head reads. */
export function valueHeadOf({ heads, kvHeads }: AttentionSpec, { head }: MixedRow): number {
  return Math.floor((head * kvHeads) / heads);
}
