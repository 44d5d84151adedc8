import type { PublicKnowledge } from "../../lab/attack.ts";
import { LayerZeroDictionary, type DictionaryPage } from "../matching/layer-zero-dictionary.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";

/** What a CompNode itself put into the attention of a layer. */
export interface OwnRows {
  /** By position, as the AttnNodes got them, [heads·headDim]. */
  readonly queries: ReadonlyMap<number, Float32Array>;
  /** By position: its key and value alone. */
  readonly pages: ReadonlyMap<number, DictionaryPage>;
}

/** What a page has for a token where its key and value were seen and the token wasn't needed. */
const SEEN = -1;

/** Layer 0 in the clear: computed from the ids that the node was given; later layers: from what it computed there. */
export async function ownRows(
  view: RecordedView,
  { engine, description }: PublicKnowledge,
  layer: number,
): Promise<OwnRows> {
  const dictionary = new LayerZeroDictionary(engine, description.wire === "float16" ? "float16" : "float32");
  const queries = new Map<number, Float32Array>();
  const pages = new Map<number, DictionaryPage>();
  if (layer === 0) {
    const ids = view.ids();
    const own = [...ids.keys()].sort((a, b) => a - b);
    if (own.length === 0) return { queries, pages };
    const q = await dictionary.queries(
      own.map((t) => ids.get(t)!),
      own,
    ); // [own, heads·headDim]
    const width = q.length / own.length;
    own.forEach((t, row) => queries.set(t, q.subarray(row * width, (row + 1) * width)));
    for (const t of own) pages.set(t, await dictionary.page(t, [ids.get(t)!]));
    return { queries, pages };
  }
  const [k, v] = [view.rows("k", layer), view.rows("v", layer)];
  for (const [position, q] of view.rows("q", layer)) {
    queries.set(position, dictionary.onWire(q));
    const rows = { k: dictionary.onWire(k.get(position)!), v: dictionary.onWire(v.get(position)!) };
    pages.set(position, { position, tokens: [SEEN], ...rows });
  }
  return { queries, pages };
}
