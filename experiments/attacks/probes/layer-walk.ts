/** Rows of every layer of many texts, one layer at a time, so that no more than one layer is ever in memory. */
import { attentionOutput, throughLayer } from "../../../layers/forward-pass.ts";
import type { Projections } from "../../../layers/program.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { rowRange, stackRows, type Tensor } from "../../../layers/tensor.ts";

/** Rows of some whole texts at one layer. */
export interface RowBatch {
  readonly ids: readonly number[];
  readonly positions: readonly number[];
  /** Input of the layer, [rows, d]. */
  readonly rows: Float32Array;
  /** [rows, heads·headDim], [rows, kvHeads·headDim], rotated; null after the last layer. */
  readonly projections: { readonly q: Float32Array; readonly k: Float32Array; readonly v: Float32Array } | null;
  /** Where in the walk's rows this batch begins. */
  readonly from: number;
}

export type VisitRows = (batch: RowBatch) => Promise<void> | void;

/** Rows of one product: enough to be fast, few enough to be small. */
const BATCH_ROWS = 2048;

export class LayerWalk {
  readonly texts: readonly (readonly number[])[];
  /** Token ids and positions (within their text) of all rows. */
  readonly ids: readonly number[];
  readonly positions: readonly number[];
  readonly #engine: StageEngine;
  readonly #rows: Float32Array;
  #layer = 0;

  private constructor(engine: StageEngine, texts: readonly (readonly number[])[]) {
    this.#engine = engine;
    this.texts = texts;
    this.ids = texts.flat();
    this.positions = texts.flatMap((text) => Array.from(text.keys()));
    this.#rows = new Float32Array(this.ids.length * engine.spec.width);
  }

  /** Embeds the texts; each is read on its own, from position 0. */
  static async begin(engine: StageEngine, texts: readonly (readonly number[])[]): Promise<LayerWalk> {
    const walk = new LayerWalk(engine, texts);
    for (let from = 0; from < walk.ids.length; from += BATCH_ROWS) {
      const to = Math.min(walk.ids.length, from + BATCH_ROWS);
      const { data } = await engine.embed(walk.ids.slice(from, to), walk.positions.slice(from, to));
      walk.#rows.set(data, from * engine.spec.width);
    }
    return walk;
  }

  /** The layer whose input `rows` are; the layer count: after the last one. */
  get layer(): number {
    return this.#layer;
  }

  /** [rows, d], overwritten by `step`. */
  get rows(): Float32Array {
    return this.#rows;
  }

  /** Shows the rows of this layer, without projections, and stays. */
  async look(visit: VisitRows): Promise<void> {
    for (const { batch } of this.#batches()) await visit({ ...batch, projections: null });
  }

  /** Shows the rows of this layer batch by batch and goes on to the next one; after the last layer it only shows them. */
  async step(visit: VisitRows = () => undefined): Promise<void> {
    const { spec } = this.#engine;
    if (this.#layer === spec.layers) return this.look(visit);
    for (const { batch, texts } of this.#batches()) {
      const x: Tensor = { data: batch.rows, shape: [batch.ids.length, spec.width] };
      const next = await throughLayer(this.#engine, this.#layer, x, batch.positions, async (_layer, { q, k, v }) => {
        const projections = { q: q.data as Float32Array, k: k.data as Float32Array, v: v.data as Float32Array };
        await visit({ ...batch, projections });
        return this.#attend(texts, { q, k, v });
      });
      batch.rows.set(next.data);
    }
    this.#layer++;
  }

  /** Whole texts, as many as fit a batch. */
  *#batches(): Generator<{ batch: Omit<RowBatch, "projections">; texts: readonly (readonly number[])[] }> {
    const { width } = this.#engine.spec;
    let [text, from] = [0, 0];
    while (text < this.texts.length) {
      const first = text;
      let to = from;
      while (text < this.texts.length && (text === first || to + this.texts[text].length - from <= BATCH_ROWS))
        to += this.texts[text++].length;
      const rows = this.#rows.subarray(from * width, to * width);
      const batch = { ids: this.ids.slice(from, to), positions: this.positions.slice(from, to), rows, from };
      yield { batch, texts: this.texts.slice(first, text) };
      from = to;
    }
  }

  /** Attention within each text. */
  async #attend(texts: readonly (readonly number[])[], { q, k, v }: Projections<Tensor>): Promise<Tensor> {
    const attended: Tensor[] = [];
    let from = 0;
    for (const { length } of texts) {
      const positions = Array.from({ length }, (_, position) => position);
      const part = (rows: Tensor): Tensor => rowRange(rows, from, from + length);
      attended.push(
        attentionOutput(await this.#engine.attend(this.#layer, part(q), positions, part(k), part(v), positions)),
      );
      from += length;
    }
    return stackRows(attended);
  }
}
