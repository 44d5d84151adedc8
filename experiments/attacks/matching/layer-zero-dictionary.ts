/**
 * The public dictionary of layer 0: where its keys and values are functions of (token, position) alone, anyone can compute the key and
 * the value that any token would have at any position, and with own query rows the logit and the value that it would add to a sum.
 */
import type { StageEngine } from "../../../layers/stage-engine.ts";
import type { FloatArray } from "../../../layers/tensor.ts";
import { roundToFloat16, widenFloat16 } from "../../../protocols/wire/float16.ts";

/** Tokens in one call of the engine: their rows of a large model stay below some tens of MB. */
const BATCH = 4096;

/** Keys and values of some tokens at one position. */
export interface DictionaryPage {
  readonly position: number;
  readonly tokens: readonly number[];
  /** [tokens, kvHeads·headDim], rotated for the position */
  readonly k: Float32Array;
  /** [tokens, kvHeads·headDim] */
  readonly v: Float32Array;
}

export class LayerZeroDictionary {
  readonly #engine: StageEngine;
  readonly #wire: "float32" | "float16";

  /** `wire`: the word that k, v and q travel in; with float16 the dictionary holds what an AttnNode holds after its rounding. */
  constructor(engine: StageEngine, wire: "float32" | "float16") {
    this.#engine = engine;
    this.#wire = wire;
  }

  /** The page of a position for these tokens. Throws RangeError for a token outside the vocabulary. */
  async page(position: number, tokens: readonly number[]): Promise<DictionaryPage> {
    const { kvHeads, headDim } = this.#engine.attention(0);
    const width = kvHeads * headDim;
    const [k, v] = [new Float32Array(tokens.length * width), new Float32Array(tokens.length * width)];
    for (let from = 0; from < tokens.length; from += BATCH) {
      const ids = tokens.slice(from, from + BATCH);
      const positions = ids.map(() => position);
      const rows = await this.#engine.pre(0, await this.#engine.embed(ids, positions), positions);
      k.set(this.onWire(rows.k.data), from * width);
      v.set(this.onWire(rows.v.data), from * width);
    }
    return { position, tokens, k, v };
  }

  /** Query rows of tokens at positions as an AttnNode gets them, [tokens, heads·headDim]. */
  async queries(tokens: readonly number[], positions: readonly number[]): Promise<Float32Array> {
    const rows = await this.#engine.pre(0, await this.#engine.embed(tokens, positions), positions);
    return this.onWire(rows.q.data);
  }

  /** What arrives of some words. */
  onWire(words: FloatArray): Float32Array {
    if (this.#wire === "float32") return Float32Array.from(words);
    const halves = new Uint16Array(words.length);
    roundToFloat16(words, halves);
    return widenFloat16(halves);
  }
}

/**
 * Logits of one query row for all tokens of a page, [heads, tokens]: scale · q·k, soft-capped as the model's attention is. `q` is
 * [heads·headDim].
 */
export function pageLogits(engine: StageEngine, q: ArrayLike<number>, page: DictionaryPage): Float64Array {
  const { heads, kvHeads, headDim, scale, softCap } = engine.attention(0);
  const count = page.tokens.length;
  const logits = new Float64Array(heads * count);
  for (let h = 0; h < heads; h++) {
    const group = Math.floor((h * kvHeads) / heads);
    for (let at = 0; at < count; at++) {
      const from = (at * kvHeads + group) * headDim;
      let sum = 0;
      for (let i = 0; i < headDim; i++) sum += q[h * headDim + i] * page.k[from + i];
      sum *= scale;
      logits[h * count + at] = softCap === null ? sum : softCap * Math.tanh(sum / softCap);
    }
  }
  return logits;
}
