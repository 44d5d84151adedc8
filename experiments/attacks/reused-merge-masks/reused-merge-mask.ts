/** The positive control of masked merges: what a CompNode would see if the AttnNodes' pairs drew their masks from seeds that are used twice. */
import { Generator } from "../../../shares/generator.ts";
import { PairMasks } from "../../../protocols/cascade/mask-seeds.ts";
import { parsePartyName } from "../../../protocols/cascade/party-name.ts";
import type { Schedule } from "../../../protocols/cascade/schedule.ts";
import type { WeighedShards } from "./weighed-shards.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";

/** What a pair's seed and its stream are called in a step: a name that comes twice is a mask that is used twice. */
export interface PlantedMask {
  readonly seed: string;
  readonly stream: number;
}

/**
 * A view in which the masked words of a layer are under masks of the seed and stream that `maskOf` names for AttnNodes (j, k) and (j, other),
 * k < other, in a step: insecure where a name comes twice, and to be found by an attack. `shards`: of the session's tokens. A fresh book for
 * each mask keeps the books, which refuse second draws, from noticing.
 */
export async function insecureReusedMergeMask(
  view: RecordedView,
  schedule: Schedule,
  layer: number,
  shards: WeighedShards,
  maskOf: (j: number, k: number, other: number, step: number) => PlantedMask,
): Promise<RecordedView> {
  const planted = new Map<object, Int32Array>();
  for (const tensor of view.tensors) {
    if (tensor.kind !== "masked" || tensor.source !== "received" || tensor.layer !== layer) continue;
    const { j, k } = parsePartyName(tensor.peer!, "attn");
    const { step } = tensor;
    const rows = (await shards.of(step, j, k))!;
    const words = rows.words.slice();
    for (const other of schedule.askedOf(step, layer, j)) {
      if (other === k) continue;
      const { seed, stream } = maskOf(j, Math.min(k, other), Math.max(k, other), step);
      const masks = new PairMasks(new Generator("reused merge mask", seed).bytes(32));
      masks.add(words, k < other ? 1 : -1, { session: 0, layer, step: stream });
    }
    const columns = words.length / rows.positions.length;
    const own = tensor.positions!.flatMap((position) => {
      const at = rows.positions.indexOf(position) * columns;
      return [...words.subarray(at, at + columns)];
    });
    planted.set(tensor.data, Int32Array.from(own));
  }
  return view.map(({ data }) => planted.get(data) ?? data);
}
