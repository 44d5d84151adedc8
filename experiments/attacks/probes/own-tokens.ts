import type { Preparation } from "../../lab/attack.ts";
import { OwnProbes } from "./own-probes.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";

/** Tokens of public text that the probe learns from. */
const TRAINING_TOKENS = 40_000;

/**
 * The tokens that a view is sure of: ids that its parties were given, and, where they weren't (layer 0 under SMPC), what a probe reads
 * off their rows at one layer. The probe is trained when it is first needed; without training text only given ids count.
 */
export class OwnTokens {
  readonly #preparation: Preparation;
  #probes: Promise<OwnProbes> | undefined;

  constructor(preparation: Preparation) {
    this.#preparation = preparation;
  }

  async of(view: RecordedView): Promise<ReadonlyMap<number, number>> {
    const { layer, training } = this.#preparation;
    const known = view.ids();
    const unread = [...view.rows("row", layer)].filter(([position]) => !known.has(position));
    if (unread.length === 0 || training.documents.length === 0) return known;
    this.#probes ??= this.#train();
    const probes = await this.#probes;
    for (const [position, row] of unread) known.set(position, probes.rank(position, row, 1).ids[0]);
    return known;
  }

  #train(): Promise<OwnProbes> {
    const { engine, layer, training, encode, seed } = this.#preparation;
    const documents = training.documents.map(encode);
    return OwnProbes.train({ engine, layer, documents, tokens: TRAINING_TOKENS, seed });
  }
}
