/** Probes of every layer from one walk: public text and the whole vocabulary, read by the model one layer at a time. */
import type { Float64Product } from "../../../layers/onnx/float64-product.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { ClassStatistics } from "./class-statistics.ts";
import { LayerWalk, type RowBatch } from "./layer-walk.ts";
import { hiddenRows, type RowReader } from "./row-kinds.ts";
import { trainingWindows } from "./training-windows.ts";
import { VocabularyWalk } from "./vocabulary-walk.ts";

/** Tokens of the fixed texts that every token of the vocabulary is put after: a sentence or two. */
const PREFIX_TOKENS = 24;

export interface ProbeTrainingOptions {
  /** Token ids of public documents. */
  readonly documents: readonly (readonly number[])[];
  /** Most tokens of it whose rows probes learn from, and tokens of a window. */
  readonly tokens: number;
  readonly windowTokens: number;
  /** Fixed texts after which each token of the vocabulary is read. */
  readonly prefixes: number;
  readonly seed: number;
}

/** What probes of one kind of row at one layer are made of. */
export interface ProbeMaterial {
  readonly layer: number;
  readonly reader: RowReader;
  /** Of rows after position 0, whose row is a function of its token alone and unlike all others (an attention sink). */
  readonly statistics: ClassStatistics;
  /** [vocabulary, width]: mean row of each token after the fixed texts. */
  readonly references: Float64Array;
}

export class ProbeTraining {
  /** The training text. */
  readonly walk: LayerWalk;
  /** Every token of the vocabulary, after each fixed text. */
  readonly vocabulary: readonly VocabularyWalk[];
  readonly #spec: StageEngine["spec"];
  readonly #product: Float64Product;

  private constructor(
    spec: StageEngine["spec"],
    product: Float64Product,
    walk: LayerWalk,
    vocabulary: readonly VocabularyWalk[],
  ) {
    this.#spec = spec;
    this.#product = product;
    this.walk = walk;
    this.vocabulary = vocabulary;
  }

  /** Throws Error where the documents hold no whole window. */
  static async begin(
    engine: StageEngine,
    product: Float64Product,
    options: ProbeTrainingOptions,
  ): Promise<ProbeTraining> {
    const { documents, tokens, windowTokens, prefixes, seed } = options;
    const walk = await LayerWalk.begin(engine, trainingWindows(documents, { tokens, length: windowTokens, seed }));
    const wanted = { tokens: prefixes * PREFIX_TOKENS, length: PREFIX_TOKENS, seed: seed + 1 };
    const vocabulary: VocabularyWalk[] = [];
    for (const prefix of trainingWindows(documents, wanted))
      vocabulary.push(await VocabularyWalk.begin(engine, prefix));
    return new ProbeTraining(engine.spec, product, walk, vocabulary);
  }

  /** Training rows a token of the vocabulary has, [vocabulary]. */
  get counts(): Int32Array {
    const counts = new Int32Array(this.#spec.vocabulary);
    this.walk.ids.forEach((id, row) => {
      if (this.walk.positions[row] > 0) counts[id]++;
    });
    return counts;
  }

  /** Goes to a layer without looking at the ones before it. */
  async goTo(layer: number): Promise<void> {
    while (this.walk.layer < layer) await this.collect([]);
  }

  /** What probes of these readers' rows need at the layer reached, in their order; goes on to the next layer. */
  async collect(readers: readonly RowReader[]): Promise<ProbeMaterial[]> {
    const { layer } = this.walk;
    const materials = readers.map((reader) => this.#begin(reader));
    await this.walk.step((batch) => this.#addTraining(materials, batch));
    for (const walk of this.vocabulary) await walk.step(layer, (batch) => this.#addReferences(materials, batch));
    return materials;
  }

  /** What probes of hidden rows need at the layer reached, without going on. */
  async look(): Promise<ProbeMaterial> {
    const material = this.#begin(hiddenRows(this.#spec.width));
    await this.walk.look((batch) => this.#addTraining([material], batch));
    for (const walk of this.vocabulary) await walk.look((batch) => this.#addReferences([material], batch));
    return material;
  }

  #begin(reader: RowReader): ProbeMaterial {
    const { vocabulary } = this.#spec;
    const statistics = new ClassStatistics(reader.width, vocabulary);
    const references = new Float64Array(vocabulary * reader.width);
    return { layer: this.walk.layer, reader, statistics, references };
  }

  async #addTraining(materials: readonly ProbeMaterial[], batch: RowBatch): Promise<void> {
    const labels = batch.ids.map((id, row) => (batch.positions[row] === 0 ? -1 : id));
    for (const { reader, statistics } of materials)
      await statistics.add(this.#product, await reader.read(batch), labels);
  }

  async #addReferences(materials: readonly ProbeMaterial[], batch: RowBatch): Promise<void> {
    for (const { reader, references } of materials) {
      const rows = await reader.read(batch);
      const from = batch.from * reader.width;
      for (let i = 0; i < rows.length; i++) references[from + i] += rows[i] / this.vocabulary.length;
    }
  }
}
