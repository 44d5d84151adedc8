/**
 * Candidates after a known prefix, many at once: what an attacker runs who knows the weights.
 *
 * The keys and values of the prefix are kept for every layer. A candidate token stands on the prefix and on a chain of tokens before it
 * that are candidates themselves (the tokens of a gap). Its attention over the prefix is a partial result of the engine; the keys of its
 * chain and its own one are merged in by the algebra of protocols/cascade/merge.ts, in loops, as each candidate has its own chain.
 */
import { allocate, type FloatArray, type Tensor } from "../../../layers/tensor.ts";
import { isVisible } from "../../../layers/reference/attention.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";

/** Candidates of one position that have been run: rows, keys and values of the layers so far. */
export interface CandidateBatch {
  readonly tokens: readonly number[];
  readonly position: number;
  /** Tokens between the prefix and each candidate, first to last. */
  readonly chains: readonly Chain[];
  /** By layer, [candidates, kvHeads·headDim] */
  readonly keys: readonly FloatArray[];
  readonly values: readonly FloatArray[];
  /** Input of layer `layer`, [candidates, d] */
  readonly rows: Tensor;
  readonly layer: number;
}

/** One candidate of a batch. */
export interface CandidateToken {
  readonly batch: CandidateBatch;
  readonly row: number;
}

export type Chain = readonly CandidateToken[];

export class PrefixForward {
  readonly engine: StageEngine;
  /** Candidate tokens run so far, each counted once however many layers it ran through; the prefix is known and isn't counted. */
  passes = 0;
  readonly #ids: number[] = [];
  /** By layer, [prefix, kvHeads·headDim] */
  readonly #keys: Tensor[];
  readonly #values: Tensor[];
  #logits: FloatArray | null = null;

  /** Throws RangeError for a model that isn't causal: there what follows changes what was. */
  constructor(engine: StageEngine) {
    const { layers, causal, kvHeads, headDim } = engine.spec;
    if (!causal) throw new RangeError("candidates: expected a causal model, got one whose rows see what follows");
    const none = (): Tensor => ({ data: allocate(engine.word, 0), shape: [0, kvHeads * headDim] });
    this.engine = engine;
    this.#keys = Array.from({ length: layers }, none);
    this.#values = Array.from({ length: layers }, none);
  }

  /** Tokens of the prefix. */
  get length(): number {
    return this.#ids.length;
  }

  get ids(): readonly number[] {
    return this.#ids;
  }

  /** Appends known tokens to the prefix; gives their rows at the input of every layer and after the last one, each [ids, d]. */
  async extend(ids: readonly number[]): Promise<readonly Tensor[]> {
    if (ids.length === 0) return [];
    const { engine } = this;
    const from = this.#ids.length;
    const positions = ids.map((_, at) => from + at);
    const all = Array.from({ length: from + ids.length }, (_, at) => at);
    const rows = [await engine.embed(ids, positions)];
    for (let layer = 0; layer < engine.spec.layers; layer++) {
      const x = rows[layer];
      const { q, k, v } = await engine.pre(layer, x, positions);
      this.#keys[layer] = under(this.#keys[layer], k);
      this.#values[layer] = under(this.#values[layer], v);
      const { u, e } = await engine.attend(layer, q, positions, this.#keys[layer], this.#values[layer], all);
      divide(u.data, e.data, engine.spec.headDim);
      rows.push(await engine.post(layer, x, u));
    }
    this.#ids.push(...ids);
    const last = rows[engine.spec.layers];
    const width = last.shape[1];
    const { logits } = await engine.head({ data: last.data.slice(-width), shape: [1, width] });
    this.#logits = logits?.data ?? null;
    return rows;
  }

  /** Logits of the token after the prefix, [vocabulary]. Throws Error while the prefix is empty, or for a model without a head. */
  nextLogits(): FloatArray {
    if (this.#logits === null) throw new Error("proposals: expected a prefix and a model with a head, got none");
    return this.#logits;
  }

  /**
   * Runs candidates of one position, `tokens[i]` after the prefix and `chains[i]` (all chains of one length), to the input of `layer`.
   * `keysOnly`: the keys and values of the layers below are enough (a token of a gap); the last of them has no need of its block's rest.
   */
  async run(
    chains: readonly Chain[],
    tokens: readonly number[],
    layer: number,
    keysOnly = false,
  ): Promise<CandidateBatch> {
    const position = this.length + chains[0].length;
    const positions = tokens.map(() => position);
    this.passes += tokens.length;
    const batch = {
      tokens,
      position,
      chains,
      keys: [],
      values: [],
      rows: await this.engine.embed(tokens, positions),
      layer: 0,
    };
    return this.#advance(batch, layer, keysOnly);
  }

  /** Runs candidates of `run` on to a later layer; their chains must have keys and values of the layers below it. */
  advance(batch: CandidateBatch, layer: number): Promise<CandidateBatch> {
    return this.#advance(batch, layer, false);
  }

  /** Logits of the token after each candidate, [candidates, vocabulary]; runs what is left of the layers. */
  async logits(batch: CandidateBatch): Promise<{ batch: CandidateBatch; logits: Tensor }> {
    const finished = await this.advance(batch, this.engine.spec.layers);
    const { logits } = await this.engine.head(finished.rows);
    if (logits === null) throw new Error("proposals: expected a model with a head, got an encoder");
    return { batch: finished, logits };
  }

  async #advance(from: CandidateBatch, to: number, keysOnly: boolean): Promise<CandidateBatch> {
    const { engine } = this;
    const positions = from.tokens.map(() => from.position);
    const prefix = Array.from({ length: this.length }, (_, at) => at);
    const [keys, values] = [[...from.keys], [...from.values]];
    let { rows } = from;
    for (let layer = from.layer; layer < to; layer++) {
      const { q, k, v } = await engine.pre(layer, rows, positions);
      keys[layer] = k.data;
      values[layer] = v.data;
      if (keysOnly && layer === to - 1) return { ...from, keys, values, rows, layer };
      const partial = await engine.attend(layer, q, positions, this.#keys[layer], this.#values[layer], prefix);
      const own = { keys: k.data, values: v.data };
      this.#mergeChains(layer, from, q.data, own, partial.u.data, partial.m.data, partial.e.data);
      rows = await engine.post(layer, rows, partial.u);
    }
    return { ...from, keys, values, rows, layer: to };
  }

  /** u, m, e over the prefix become the attention output over prefix, chain and the candidate itself, in place of u. */
  #mergeChains(
    layer: number,
    { chains, position }: CandidateBatch,
    q: FloatArray,
    own: { readonly keys: FloatArray; readonly values: FloatArray },
    u: FloatArray,
    m: FloatArray,
    e: FloatArray,
  ): void {
    const spec = this.engine.attention(layer);
    const { heads, kvHeads, headDim, scale, softCap } = spec;
    const group = heads / kvHeads;
    const kvWidth = kvHeads * headDim;
    for (let row = 0; row < chains.length; row++) {
      const chain = chains[row];
      for (let step = 0; step <= chain.length; step++) {
        const other = step < chain.length ? chain[step] : null;
        if (other !== null && !isVisible(spec, position, other.batch.position)) continue;
        const k = other?.batch.keys[layer] ?? own.keys;
        const v = other?.batch.values[layer] ?? own.values;
        const base = (other?.row ?? row) * kvWidth;
        for (let h = 0; h < heads; h++) {
          const slot = row * heads + h;
          const qAt = slot * headDim;
          const kAt = base + Math.floor(h / group) * headDim;
          let dot = 0;
          for (let i = 0; i < headDim; i++) dot += q[qAt + i] * k[kAt + i];
          const logit = softCap === null ? scale * dot : softCap * Math.tanh((scale * dot) / softCap);
          const mOld = m[slot];
          const n = Math.max(mOld, logit);
          const keep = mOld === -Infinity ? 0 : Math.exp(mOld - n);
          const gain = Math.exp(logit - n);
          m[slot] = n;
          e[slot] = e[slot] * keep + gain;
          for (let i = 0; i < headDim; i++) u[qAt + i] = u[qAt + i] * keep + v[kAt + i] * gain;
        }
      }
    }
    divide(u, e, headDim);
  }
}

/** u [slots, headDim] over e [slots], in place. */
function divide(u: FloatArray, e: FloatArray, headDim: number): void {
  for (let slot = 0; slot < e.length; slot++) {
    const inverse = 1 / e[slot];
    for (let i = slot * headDim; i < (slot + 1) * headDim; i++) u[i] *= inverse;
  }
}

/** `lower` under `upper`, in a buffer of their own. */
function under(upper: Tensor, lower: Tensor): Tensor {
  const data =
    upper.data instanceof Float32Array
      ? new Float32Array(upper.data.length + lower.data.length)
      : new Float64Array(upper.data.length + lower.data.length);
  data.set(upper.data);
  data.set(lower.data, upper.data.length);
  return { data, shape: [upper.shape[0] + lower.shape[0], upper.shape[1]] };
}
