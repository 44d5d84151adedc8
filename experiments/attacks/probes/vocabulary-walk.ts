/** Rows of every token of the vocabulary, each as the next token after one fixed text, one layer at a time. */
import { throughLayer } from "../../../layers/forward-pass.ts";
import type { Projections } from "../../../layers/program.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import type { Tensor } from "../../../layers/tensor.ts";
import type { VisitRows } from "./layer-walk.ts";
import { LayerWalk } from "./layer-walk.ts";

const BATCH_ROWS = 2048;

export class VocabularyWalk {
  readonly #engine: StageEngine;
  /** The fixed text; null: tokens stand alone, at position 0. */
  readonly #prefix: LayerWalk | null;
  readonly #position: number;
  /** [vocabulary, d] */
  readonly #rows: Float32Array;

  private constructor(engine: StageEngine, prefix: LayerWalk | null, position: number) {
    this.#engine = engine;
    this.#prefix = prefix;
    this.#position = position;
    this.#rows = new Float32Array(engine.spec.vocabulary * engine.spec.width);
  }

  /** Embeds all tokens at the position after `prefix`, which may be empty. */
  static async begin(engine: StageEngine, prefix: readonly number[]): Promise<VocabularyWalk> {
    const before = prefix.length === 0 ? null : await LayerWalk.begin(engine, [prefix]);
    const walk = new VocabularyWalk(engine, before, prefix.length);
    for (const { ids, positions, from } of walk.#batches())
      walk.#rows.set((await engine.embed(ids, positions)).data, from * engine.spec.width);
    return walk;
  }

  /** [vocabulary, d], overwritten by `step`. */
  get rows(): Float32Array {
    return this.#rows;
  }

  /** Shows the rows reached, without projections, and stays. */
  async look(visit: VisitRows): Promise<void> {
    const { width } = this.#engine.spec;
    for (const { ids, positions, from } of this.#batches()) {
      const rows = this.#rows.subarray(from * width, (from + ids.length) * width);
      await visit({ ids, positions, rows, projections: null, from });
    }
  }

  /** As LayerWalk.step; a batch's texts are single tokens. */
  async step(layer: number, visit: VisitRows = () => undefined): Promise<void> {
    const { spec } = this.#engine;
    if (layer === spec.layers) return this.look(visit);
    let prefix: { k: Tensor; v: Tensor } | null = null;
    await this.#prefix?.step(({ projections, positions }) => {
      if (projections === null) return;
      const columns = spec.kvHeads * spec.headDim;
      const tensor = (data: Float32Array): Tensor => ({ data, shape: [positions.length, columns] });
      prefix = { k: tensor(projections.k), v: tensor(projections.v) };
    });
    for (const { ids, positions, from } of this.#batches()) {
      const rows = this.#rows.subarray(from * spec.width, (from + ids.length) * spec.width);
      const x: Tensor = { data: rows, shape: [ids.length, spec.width] };
      const next = await throughLayer(this.#engine, layer, x, positions, async (_layer, { q, k, v }) => {
        const projections = { q: q.data as Float32Array, k: k.data as Float32Array, v: v.data as Float32Array };
        await visit({ ids, positions, rows, projections, from });
        return this.#attend(layer, positions, { q, k, v }, prefix);
      });
      rows.set(next.data);
    }
  }

  /** Each token attends to the fixed text and itself: the partial result over the text, merged with its own key (arXiv 2507.05228). */
  async #attend(
    layer: number,
    positions: readonly number[],
    { q, k, v }: Projections<Tensor>,
    prefix: { readonly k: Tensor; readonly v: Tensor } | null,
  ): Promise<Tensor> {
    const { heads, kvHeads, headDim } = this.#engine.spec;
    const { scale, softCap } = this.#engine.attention(layer);
    const before =
      prefix === null
        ? null
        : await this.#engine.attend(layer, q, positions, prefix.k, prefix.v, Array.from(Array(this.#position).keys()));
    const attended = new Float32Array(q.data.length);
    for (let row = 0; row < positions.length; row++)
      for (let head = 0; head < heads; head++) {
        const at = (row * heads + head) * headDim;
        const own = (row * kvHeads + Math.floor((head * kvHeads) / heads)) * headDim;
        let logit = 0;
        for (let i = 0; i < headDim; i++) logit += q.data[at + i] * k.data[own + i];
        logit *= scale;
        if (softCap !== null) logit = softCap * Math.tanh(logit / softCap);
        const past = before === null ? -Infinity : before.m.data[row * heads + head];
        const most = Math.max(logit, past);
        const [ownWeight, pastWeight] = [Math.exp(logit - most), Math.exp(past - most)];
        const total = ownWeight + (before === null ? 0 : pastWeight * before.e.data[row * heads + head]);
        for (let i = 0; i < headDim; i++) {
          const mixed = before === null ? 0 : pastWeight * before.u.data[at + i];
          attended[at + i] = (mixed + ownWeight * v.data[own + i]) / total;
        }
      }
    return { data: attended, shape: q.shape };
  }

  *#batches(): Generator<{ ids: number[]; positions: number[]; from: number }> {
    const { vocabulary } = this.#engine.spec;
    for (let from = 0; from < vocabulary; from += BATCH_ROWS) {
      const ids = Array.from({ length: Math.min(BATCH_ROWS, vocabulary - from) }, (_, i) => from + i);
      yield { ids, positions: ids.map(() => this.#position), from };
    }
  }
}
