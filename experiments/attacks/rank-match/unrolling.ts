import type { StageEngine } from "../../../layers/stage-engine.ts";
import { shards } from "../../../protocols/cascade/sharding.ts";
import type { KeyPage } from "../sums/candidate-keys.ts";
import { mergedSum, shardSums, type MixedRowSource, type MixedSum } from "../sums/mixed-rows.ts";
import type { PublicKnowledge } from "../../lab/attack.ts";
import { LayerZeroDictionary } from "../matching/layer-zero-dictionary.ts";
import { PrefixForward } from "../matching/prefix-forward.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";
import { seenKeys, type PositionEvidence } from "./position-evidence.ts";
import { ResidualSums } from "./residual-sums.ts";

/** One prompt in the making: tokens so far, their keys and values, and the sums that are left. */
export class Unrolling {
  readonly forward: PrefixForward;
  readonly #layer: number;
  readonly #known = new Map<number, KeyPage>();
  readonly #sums: readonly MixedSum[];
  readonly #onWire: (rows: Float32Array | Float64Array) => Float32Array;

  constructor(engine: StageEngine, layer: number, view: RecordedView, { description, schedule }: PublicKnowledge) {
    this.forward = new PrefixForward(engine);
    this.#layer = layer;
    const word = description.wire === "float16" ? "float16" : "float32";
    const wire = new LayerZeroDictionary(engine, word);
    this.#onWire = (rows) => wire.onWire(rows);
    const source: MixedRowSource = {
      attention: engine.attention(layer),
      layer,
      keyShards: shards(schedule.s, 0, description.promptLength),
      word,
      onWire: this.#onWire,
    };
    const apart = shardSums(view, source);
    this.#sums = apart.length > 0 ? apart : [mergedSum(view, source)];
    const values = view.rows("v", layer);
    for (const [position, k] of view.rows("k", layer))
      this.#known.set(position, { k: this.#onWire(k), v: this.#onWire(values.get(position)!) });
  }

  /** What the view says of the next position: its own keys, or what is left of the sums that see it; null where it says nothing. */
  evidence(): PositionEvidence | null {
    const { engine, length } = this.forward;
    const seen = this.#known.get(length);
    if (seen !== undefined) return seenKeys(seen);
    return ResidualSums.of(this.#sums, length, this.#known, engine.attention(this.#layer));
  }

  /** Keys and values at the layer of candidates for the next position. */
  async keysOf(tokens: readonly number[]): Promise<KeyPage> {
    const batch = await this.forward.run(
      tokens.map(() => []),
      tokens,
      this.#layer + 1,
      true,
    );
    return { k: this.#onWire(batch.keys[this.#layer]), v: this.#onWire(batch.values[this.#layer]) };
  }

  /** Goes on by a token. */
  async extend(token: number): Promise<void> {
    const position = this.forward.length;
    const rows = await this.forward.extend([token]);
    if (this.#known.has(position)) return; // the party's own, as it saw it
    const { k, v } = await this.forward.engine.pre(this.#layer, rows[this.#layer], [position]);
    this.#known.set(position, { k: this.#onWire(k.data), v: this.#onWire(v.data) });
  }
}
