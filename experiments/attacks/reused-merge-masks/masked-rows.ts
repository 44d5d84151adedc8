/** Rows that a CompNode was sent under masks, and which of them are under one mask. */
import { parsePartyName } from "../../../protocols/cascade/party-name.ts";
import type { Schedule } from "../../../protocols/cascade/schedule.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";
import { maskedOrder, type WeighedShards } from "./weighed-shards.ts";

/** One row of one shard as AttnNode (j, k) sent it. */
export interface MaskedShardRow {
  readonly j: number;
  readonly k: number;
  readonly step: number;
  readonly position: number;
  /** Its place among the rows that one mask is for. */
  readonly at: number;
  /** [heads * headDim] */
  readonly words: Int32Array;
  /** What is under the mask, where the attacker knows the session's tokens. */
  readonly known: Int32Array | null;
}

/** All rows of a layer that a view has under masks; `shards`: of its tokens, where they are known. */
export async function maskedRows(
  view: RecordedView,
  schedule: Schedule,
  layer: number,
  shards: WeighedShards | null,
): Promise<MaskedShardRow[]> {
  const rows: MaskedShardRow[] = [];
  for (const { kind, source, peer, step, positions, data, ...entry } of view.tensors) {
    if (kind !== "masked" || source !== "received" || entry.layer !== layer || positions === null) continue;
    const { j, k } = parsePartyName(peer!, "attn");
    if (schedule.askedOf(step, layer, j).length === 1) continue; // the merged row itself, which nobody masks
    const order = maskedOrder(schedule, layer, step, j);
    const columns = data.length / positions.length;
    const known = shards === null ? null : await shards.of(step, j, k);
    positions.forEach((position, row) => {
      const at = order.indexOf(position);
      rows.push({
        j,
        k,
        step,
        position,
        at,
        words: (data as Int32Array).subarray(row * columns, (row + 1) * columns),
        known: known === null ? null : known.words.subarray(at * columns, (at + 1) * columns),
      });
    });
  }
  return rows;
}

/** Deviations of the mean magnitude of uniform words by which a difference must be shorter: by chance less than once in 1e11 pairs. */
const SURE = 7;

/** one - other mod 2^32, where both are under one mask; null where the difference is as long as that of uniform words. */
export function underOneMask(one: MaskedShardRow, other: MaskedShardRow): Int32Array | null {
  if (one.j !== other.j || one.k !== other.k || one.at !== other.at) return null;
  const difference = one.words.map((word, i) => word - other.words[i]);
  const mean = difference.reduce((sum, word) => sum + Math.abs(word), 0) / difference.length;
  // |uniform| has mean 2^30 and deviation 2^30 / sqrt(3).
  const most = 2 ** 30 * Math.min(0.5, 1 - SURE / Math.sqrt(3 * difference.length));
  return mean < most ? difference : null;
}
