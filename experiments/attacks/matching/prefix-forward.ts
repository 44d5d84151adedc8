/**
 * Candidates after a known prefix, many at once: what an attacker runs who knows the weights.
 *
 * The keys and values of the prefix are kept for every layer. A candidate token stands on the prefix and on a chain of tokens before it
 * that are candidates themselves (the tokens of a gap). Its attention over the prefix is a partial result of the engine; the keys of its
 * chain and its own one are merged in by the algebra of protocols/cascade/merge.ts, in loops, as each candidate has its own chain.
 */
import { attentionOutput, forwardPass, type Attend } from "../../../layers/forward-pass.ts";
import { allocate, stackRows, takeRows, type FloatArray, type Tensor } from "../../../layers/tensor.ts";
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
    const attend: Attend = async (layer, { q, k, v }) => {
      this.#keys[layer] = stackRows([this.#keys[layer], k]);
      this.#values[layer] = stackRows([this.#values[layer], v]);
      return attentionOutput(await engine.attend(layer, q, positions, this.#keys[layer], this.#values[layer], all));
    };
    const rows: Tensor[] = [];
    for await (const x of forwardPass(engine, await engine.embed(ids, positions), positions, { attend })) rows.push(x);
    this.#ids.push(...ids);
    const { logits } = await engine.head(takeRows(rows[engine.spec.layers], [ids.length - 1]));
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
    const attend: Attend = async (layer, { q, k, v }) => {
      keys[layer] = k.data;
      values[layer] = v.data;
      const partial = await engine.attend(layer, q, positions, this.#keys[layer], this.#values[layer], prefix);
      const own = { keys: k.data, values: v.data };
      this.#mergeChains(layer, from, q.data, own, partial.u.data, partial.m.data, partial.e.data);
      return attentionOutput(partial);
    };
    const layer = keysOnly ? Math.max(from.layer, to - 1) : to;
    let { rows } = from;
    for await (const x of forwardPass(engine, rows, positions, { from: from.layer, to: layer, attend })) rows = x;
    if (layer < to) {
      const { k, v } = await engine.pre(layer, rows, positions);
      keys[layer] = k.data;
      values[layer] = v.data;
    }
    return { ...from, keys, values, rows, layer };
  }

  /** u, m, e over the prefix become those over prefix, chain and the candidate itself. */
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
  }
}
