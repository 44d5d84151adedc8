/** Keys and values of layer 0 that every token of the vocabulary would have at a position: what an additive decode looks up. */
import type { AttentionSpec } from "../../../layers/program.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { LayerZeroDictionary, type DictionaryPage } from "../matching/layer-zero-dictionary.ts";
import { unrotated } from "../probes/row-kinds.ts";

/** The words that rows travel in between parties. */
export type RowWord = "float32" | "float16";

/** k and v rows of tokens at one position, [tokens, kvHeads·headDim] each. */
export interface KeyPage {
  readonly k: Float32Array;
  readonly v: Float32Array;
}

/** Pages that are kept hold at most so many keys: 256 MiB. */
const KEPT_WORDS = 1 << 26;

export class CandidateKeys {
  readonly attention: AttentionSpec;
  readonly vocabulary: number;
  readonly #engine: StageEngine;
  readonly #exact: LayerZeroDictionary;
  readonly #wire: LayerZeroDictionary;
  /** Before any wire, at position 0: where positions come in by rotation alone, the keys of every other position follow from it. */
  readonly #base: DictionaryPage;
  readonly #values: Float32Array;
  readonly #pages = new Map<number, KeyPage>();
  /** Of single tokens, by position · vocabulary + token: a few thousand numbers each prompt. */
  readonly #single = new Map<number, KeyPage>();

  private constructor(
    engine: StageEngine,
    exact: LayerZeroDictionary,
    wire: LayerZeroDictionary,
    base: DictionaryPage,
  ) {
    this.attention = engine.attention(0);
    this.vocabulary = engine.spec.vocabulary;
    this.#engine = engine;
    this.#exact = exact;
    this.#wire = wire;
    this.#base = base;
    this.#values = wire.onWire(base.v);
    this.valueSize = Math.sqrt(base.v.reduce((sum, value) => sum + value * value, 0) / base.v.length);
  }

  /** Runs the whole vocabulary through the embedding and the projections of layer 0 once. */
  static async open(engine: StageEngine, word: RowWord): Promise<CandidateKeys> {
    const exact = new LayerZeroDictionary(engine, "float32");
    const base = await exact.page(0, allTokens(engine.spec.vocabulary));
    return new CandidateKeys(engine, exact, new LayerZeroDictionary(engine, word), base);
  }

  /** Root mean square of the values' elements. */
  readonly valueSize: number;

  /** Width of a key or a value of all heads: kvHeads·headDim. */
  get width(): number {
    return this.attention.kvHeads * this.attention.headDim;
  }

  /** k and v of every token at a position as AttnNodes hold them, [vocabulary, width] each. */
  async at(position: number): Promise<KeyPage> {
    const kept = this.#pages.get(position);
    if (kept !== undefined) return kept;
    const page = await this.#page(position);
    const most = Math.max(1, Math.floor(KEPT_WORDS / page.k.length));
    for (const oldest of this.#pages.keys()) {
      if (this.#pages.size < most) break;
      this.#pages.delete(oldest);
    }
    this.#pages.set(position, page);
    return page;
  }

  /** k and v of one token at a position, [width] each. */
  async of(token: number, position: number): Promise<KeyPage> {
    const name = position * this.vocabulary + token;
    const kept = this.#single.get(name);
    if (kept !== undefined) return kept;
    const { rope, headDim } = this.#engine.spec;
    const row = (all: Float32Array): Float32Array => all.subarray(token * this.width, (token + 1) * this.width);
    let found: KeyPage;
    if (rope === null) {
      const { k, v } = await this.at(position);
      found = { k: row(k).slice(), v: row(v).slice() };
    } else
      found = { k: this.#wire.onWire(unrotated(row(this.#base.k), [-position], rope, headDim)), v: row(this.#values) };
    this.#single.set(name, found);
    return found;
  }

  async #page(position: number): Promise<KeyPage> {
    const { rope, headDim } = this.#engine.spec;
    if (rope === null) {
      const { k, v } = await this.#exact.page(position, this.#base.tokens);
      return { k: this.#wire.onWire(k), v: this.#wire.onWire(v) };
    }
    const turned = unrotated(
      this.#base.k,
      this.#base.tokens.map(() => -position),
      rope,
      headDim,
    );
    return { k: this.#wire.onWire(turned), v: this.#values };
  }

  /** Query rows as they arrive at AttnNodes. */
  onWire(rows: Float32Array | Float64Array): Float32Array {
    return this.#wire.onWire(rows);
  }
}

const allTokens = (count: number): number[] => Array.from({ length: count }, (_, token) => token);
