/**
 * A window's guesses, many at once: the rows that a party would have seen of them.
 *
 * A window is the tokens from what is known on to the last of the party's next own rows. Keys and values of what is known are kept for every layer.
 * Guesses that share their first tokens run these once; guesses of which only one token differs from a common one run no other token's
 * projections at layer 0, where they depend on nothing else.
 */
import { attentionOutput, forwardPass, type Attend } from "../../../layers/forward-pass.ts";
import { allocate, rowRange, stackRows, takeRows, type FloatArray, type Tensor } from "../../../layers/tensor.ts";
import type { PartialAttention, StageEngine } from "../../../layers/stage-engine.ts";
import { attendChains } from "./chain-attention.ts";
import { ownRowWidth, type OwnRowKind } from "./own-rows.ts";

/** Rows that run through a layer at a time: bounds what is held beside the results. */
const MOST_ROWS = 8192;

/** A common guess, run: what guesses that differ from it in one token share with it. */
export interface CommonGuess {
  readonly tokens: readonly number[];
  /** By layer below the last observed one, [window, ...] */
  readonly q: readonly Tensor[];
  readonly k: readonly Tensor[];
  readonly v: readonly Tensor[];
  /** At the input of layer 0, [window, d] */
  readonly embedded: Tensor;
  /** As `WindowForward.rows` of this guess. */
  readonly observed: Float32Array;
}

export class WindowForward {
  readonly engine: StageEngine;
  /** Layers at whose input rows are observed, ascending; the number of layers: after the last one. */
  readonly layers: readonly number[];
  readonly kind: OwnRowKind;
  /** Numbers of an observed row. */
  readonly rowWidth: number;
  /** Tokens run so far: of each guess those that it doesn't share, each counted once however many layers it ran through. */
  passes = 0;
  readonly #prefix: number[] = [];
  /** By layer, [prefix, kvHeads·headDim] */
  readonly #keys: Tensor[];
  readonly #values: Tensor[];
  #places: readonly number[] = [];

  /** Throws RangeError for a layer below 1, whose input is the token itself, and for a model that isn't causal. */
  constructor(engine: StageEngine, layers: readonly number[], kind: OwnRowKind) {
    const { causal, kvHeads, headDim } = engine.spec;
    if (!causal) throw new RangeError("window: expected a causal model, got one whose rows see what follows");
    const none = (): Tensor => ({ data: allocate(engine.word, 0), shape: [0, kvHeads * headDim] });
    if (layers.length === 0 || layers[0] < 1)
      throw new RangeError(`window: expected rows of layers from 1 on, got [${layers.join(", ")}]`);
    this.engine = engine;
    this.layers = layers;
    this.kind = kind;
    this.rowWidth = ownRowWidth(engine.spec, kind);
    this.#keys = Array.from({ length: this.#depth }, none);
    this.#values = Array.from({ length: this.#depth }, none);
  }

  /** Tokens that are known. */
  get length(): number {
    return this.#prefix.length;
  }

  /** Numbers of a guess's observed rows. */
  get width(): number {
    return this.layers.length * this.#places.length * this.rowWidth;
  }

  /** Says which places of the window are observed from now on, ascending. */
  watch(places: readonly number[]): void {
    this.#places = places;
  }

  /** Layers that guesses run through. */
  get #depth(): number {
    return this.layers[this.layers.length - 1];
  }

  /** Appends known tokens. */
  async extend(ids: readonly number[]): Promise<void> {
    if (ids.length === 0) return;
    const { engine } = this;
    const from = this.#prefix.length;
    const positions = ids.map((_, at) => from + at);
    const all = Array.from({ length: from + ids.length }, (_, at) => at);
    const attend: Attend = async (layer, { q, k, v }) => {
      this.#keys[layer] = stackRows([this.#keys[layer], k]);
      this.#values[layer] = stackRows([this.#values[layer], v]);
      return attentionOutput(await engine.attend(layer, q, positions, this.#keys[layer], this.#values[layer], all));
    };
    const x = await engine.embed(ids, positions);
    for await (const rows of forwardPass(engine, x, positions, { to: this.#depth, attend })) void rows;
    this.#prefix.push(...ids);
  }

  /** Observed rows of whole guesses, [guesses, layers, places, d]. */
  async rows(guesses: readonly (readonly number[])[]): Promise<Float32Array> {
    const { width } = this;
    const out = new Float32Array(guesses.length * width);
    if (guesses.length === 0) return out;
    const window = guesses[0].length;
    const most = Math.max(1, Math.floor(MOST_ROWS / window));
    for (let from = 0; from < guesses.length; from += most) {
      const part = guesses.slice(from, from + most);
      this.passes += part.length * window;
      await this.#run(part, null, 0, out.subarray(from * width, (from + part.length) * width));
    }
    return out;
  }

  /** Runs a guess that others will differ from in one token. */
  async common(tokens: readonly number[]): Promise<CommonGuess> {
    const { engine } = this;
    this.passes += tokens.length;
    const from = this.#prefix.length;
    const positions = tokens.map((_, at) => from + at);
    const all = Array.from({ length: from + tokens.length }, (_, at) => at);
    const made = { q: [] as Tensor[], k: [] as Tensor[], v: [] as Tensor[] };
    const attend: Attend = async (layer, { q, k, v }) => {
      made.q.push(q);
      made.k.push(k);
      made.v.push(v);
      const [keys, values] = [stackRows([this.#keys[layer], k]), stackRows([this.#values[layer], v])];
      return attentionOutput(await engine.attend(layer, q, positions, keys, values, all));
    };
    const observed = new Float32Array(this.width);
    const embedded = await engine.embed(tokens, positions);
    const places = [...tokens.keys()];
    let layer = 0;
    for await (const rows of forwardPass(engine, embedded, positions, { to: this.#depth, attend }))
      await this.#keep(layer++, rows, { first: 0, places, count: 1 }, observed);
    return { tokens, ...made, embedded, observed };
  }

  /** Observed rows of the common guess with other tokens at one place, [tokens, layers, places, d]. */
  async swaps(common: CommonGuess, place: number, tokens: readonly number[]): Promise<Float32Array> {
    const { width } = this;
    const out = new Float32Array(tokens.length * width);
    const left = common.tokens.length - place;
    const most = Math.max(1, Math.floor(MOST_ROWS / left));
    for (let from = 0; from < tokens.length; from += most) {
      const part = tokens.slice(from, from + most);
      this.passes += part.length * left;
      const guesses = part.map((token) => [token, ...common.tokens.slice(place + 1)]);
      await this.#run(guesses, common, place, out.subarray(from * width, (from + part.length) * width));
    }
    return out;
  }

  /**
   * Runs guesses, of which `given` are the tokens from `place` on; the ones before are the common guess's (null: all are given). Where
   * there is a common guess, only the token at `place` differs from it.
   */
  async #run(
    given: readonly (readonly number[])[],
    common: CommonGuess | null,
    place: number,
    out: Float32Array,
  ): Promise<void> {
    const { engine } = this;
    const count = given.length;
    const left = given[0].length;
    const start = this.#prefix.length + place;
    const positions = given.flatMap((tokens) => tokens.map((_, at) => start + at));
    const shared = Array.from({ length: start }, (_, at) => at);
    const own = this.#places.filter((at) => at >= place).map((at) => at - place);
    if (common !== null) for (let guess = 0; guess < count; guess++) out.set(common.observed, guess * this.width);
    let x =
      common === null
        ? await engine.embed(given.flat(), positions)
        : await this.#embedSwapped(given, common, place, start);
    /** Of each guess, the places that still run: all, and those that are observed after the last layer. */
    let places = Array.from({ length: left }, (_, at) => at);
    for (let layer = 0; layer < this.#depth; layer++) {
      const wanted = layer + 1 < this.#depth ? places : own;
      const [k, v] = [this.#shared(layer, common, place, "k"), this.#shared(layer, common, place, "v")];
      const queries = (rows: Tensor): Tensor =>
        wanted.length === left
          ? rows
          : takeRows(
              rows,
              given.flatMap((_, guess) => wanted.map((at) => guess * left + at)),
            );
      let attended: Tensor;
      if (layer === 0 && common !== null) attended = await this.#firstLayer(given, common, place, wanted);
      else {
        const projected = await engine.pre(layer, x, positions);
        const q = queries(projected.q);
        const at = given.flatMap(() => wanted.map((step) => start + step));
        const partial = await engine.attend(layer, q, at, k, v, shared);
        attendChains({
          attention: engine.attention(layer),
          partial,
          q: q.data,
          keys: projected.k.data,
          values: projected.v.data,
          own: left,
          position: start,
          queries: wanted.map((step) => ({ position: start + step, sees: step + 1 })),
        });
        attended = attentionOutput(partial);
      }
      x = await engine.post(layer, queries(x), attended);
      places = wanted;
      await this.#keep(layer + 1, x, { first: place, places, count }, out);
    }
  }

  /** Rows at the input of layer 0 of guesses that differ from the common one at `place`. */
  async #embedSwapped(
    given: readonly (readonly number[])[],
    common: CommonGuess,
    place: number,
    start: number,
  ): Promise<Tensor> {
    const swapped = await this.engine.embed(
      given.map(([token]) => token),
      given.map(() => start),
    );
    const width = this.engine.spec.width;
    const left = common.tokens.length - place;
    const data = allocate(this.engine.word, given.length * left * width);
    const rest = common.embedded.data.subarray((place + 1) * width);
    for (let guess = 0; guess < given.length; guess++) {
      data.set(swapped.data.subarray(guess * width, (guess + 1) * width), guess * left * width);
      data.set(rest, (guess * left + 1) * width);
    }
    return { data, shape: [given.length * left, width] };
  }

  /** The attention of layer 0: only the key, value and query of the swapped token are new. */
  async #firstLayer(
    given: readonly (readonly number[])[],
    common: CommonGuess,
    place: number,
    wanted: readonly number[],
  ): Promise<Tensor> {
    const { engine } = this;
    const start = this.#prefix.length + place;
    const window = common.tokens.length;
    const positions = given.map(() => start);
    const swapped = await engine.embed(
      given.map(([token]) => token),
      positions,
    );
    const projected = await engine.pre(0, swapped, positions);
    const others = Array.from({ length: window }, (_, at) => at).filter((at) => at !== place);
    const keys = stackRows([this.#keys[0], takeRows(common.k[0], others)]);
    const values = stackRows([this.#values[0], takeRows(common.v[0], others)]);
    const keyPositions = [...this.#prefix.keys(), ...others.map((at) => this.#prefix.length + at)];
    const later = wanted.filter((step) => step > 0);
    const laterPositions = later.map((step) => start + step);
    const once = await engine.attend(
      0,
      takeRows(
        common.q[0],
        later.map((step) => place + step),
      ),
      laterPositions,
      keys,
      values,
      keyPositions,
    );
    const first = wanted[0] === 0 ? await engine.attend(0, projected.q, positions, keys, values, keyPositions) : null;
    const attention = engine.attention(0);
    const queryWidth = attention.heads * attention.headDim;
    const rows = given.length * wanted.length;
    const spread = (part: "u" | "m" | "e", width: number): Tensor => {
      const data = allocate(engine.word, rows * width);
      for (let guess = 0; guess < given.length; guess++) {
        let at = guess * wanted.length * width;
        if (first !== null) {
          data.set(first[part].data.subarray(guess * width, (guess + 1) * width), at);
          at += width;
        }
        data.set(once[part].data, at);
      }
      return { data, shape: [rows, width] };
    };
    const partial: PartialAttention = {
      u: spread("u", queryWidth),
      m: spread("m", attention.heads),
      e: spread("e", attention.heads),
    };
    const q = allocate(engine.word, rows * queryWidth);
    for (let guess = 0; guess < given.length; guess++)
      wanted.forEach((step, at) =>
        q.set(
          step === 0
            ? projected.q.data.subarray(guess * queryWidth, (guess + 1) * queryWidth)
            : common.q[0].data.subarray((place + step) * queryWidth, (place + step + 1) * queryWidth),
          (guess * wanted.length + at) * queryWidth,
        ),
      );
    attendChains({
      attention,
      partial,
      q,
      keys: projected.k.data,
      values: projected.v.data,
      own: 1,
      position: start,
      queries: wanted.map((step) => ({ position: start + step, sees: 1 })),
    });
    return attentionOutput(partial);
  }

  /** Keys or values of what is known and of the common guess before `place`. */
  #shared(layer: number, common: CommonGuess | null, place: number, part: "k" | "v"): Tensor {
    const known = (part === "k" ? this.#keys : this.#values)[layer];
    return common === null || place === 0 ? known : stackRows([known, rowRange(common[part][layer], 0, place)]);
  }

  /**
   * Keeps what is observed of `rows` [count, places, d] at the input of `layer`; `first`: where in the window the places count from.
   */
  async #keep(
    layer: number,
    rows: Tensor,
    { first, places, count }: { readonly first: number; readonly places: readonly number[]; readonly count: number },
    out: Float32Array,
  ): Promise<void> {
    const at = this.layers.indexOf(layer);
    if (at < 0) return;
    const seen = places.flatMap((place, row) => {
      const index = this.#places.indexOf(first + place);
      return index < 0 ? [] : [{ index, row, position: this.#prefix.length + first + place }];
    });
    if (seen.length === 0) return;
    const taken = takeRows(
      rows,
      Array.from({ length: count }, (_, guess) => seen.map(({ row }) => guess * places.length + row)).flat(),
    );
    const parts = await this.#parts(
      layer,
      taken,
      Array.from({ length: count }, () => seen.map((each) => each.position)).flat(),
    );
    const partWidth = this.rowWidth / parts.length;
    for (let guess = 0; guess < count; guess++)
      seen.forEach(({ index }, own) => {
        const from = (guess * seen.length + own) * partWidth;
        const to = guess * this.width + (at * this.#places.length + index) * this.rowWidth;
        parts.forEach((part, which) => out.set(part.subarray(from, from + partWidth), to + which * partWidth));
      });
  }

  /** What is observed of rows, side by side. */
  async #parts(layer: number, rows: Tensor, positions: readonly number[]): Promise<FloatArray[]> {
    if (this.kind === "row") return [rows.data];
    const { k, v } = await this.engine.pre(layer, rows, positions);
    return [k.data, v.data];
  }
}
