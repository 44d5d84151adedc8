/** Who a row is: probes of the own token that order candidates. */
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { ClassMeans } from "../probes/class-means.ts";
import { ClassStatistics } from "../probes/class-statistics.ts";
import { LayerWalk } from "../probes/layer-walk.ts";
import { nearestProbe } from "../probes/nearest.ts";
import type { Ranking, RowProbe } from "../probes/row-probe.ts";
import { trainingWindows } from "../probes/training-windows.ts";
import { VocabularyWalk } from "../probes/vocabulary-walk.ts";

export interface OwnProbeTraining {
  readonly engine: StageEngine;
  readonly layer: number;
  /** Public text, as ids. */
  readonly documents: readonly (readonly number[])[];
  /** Most tokens of it. */
  readonly tokens: number;
  readonly seed: number;
}

/** Tokens of a training window, and of the fixed text before each token of the vocabulary. */
const [WINDOW, FIXED] = [32, 8];

export class OwnProbes {
  /** The first row sees itself alone, so a table of the vocabulary's rows at position 0 holds it. */
  readonly #first: RowProbe;
  readonly #rest: RowProbe;

  private constructor(first: RowProbe, rest: RowProbe) {
    this.#first = first;
    this.#rest = rest;
  }

  /** Two runs of the vocabulary to the layer, and one of the training text; none of them depends on a prompt. */
  static async train({ engine, layer, documents, tokens, seed }: OwnProbeTraining): Promise<OwnProbes> {
    const { width, vocabulary } = engine.spec;
    const product = await Float64Product.open(1);
    try {
      const windows = trainingWindows(documents, { tokens, length: WINDOW, seed });
      const walk = await LayerWalk.begin(engine, windows);
      for (let each = 0; each < layer; each++) await walk.step();
      const statistics = new ClassStatistics(width, vocabulary);
      const labels = walk.ids.map((id, at) => (walk.positions[at] === 0 ? -1 : id));
      await statistics.add(product, walk.rows, labels);
      const priors = await vocabularyRows(engine, layer, windows[0].slice(0, FIXED));
      const means = await ClassMeans.fit(product, statistics, priors);
      const rest = means.probe({ priorRows: null, frequencyWeight: 1 });
      return new OwnProbes(nearestProbe("l2", await vocabularyRows(engine, layer, []), width), rest);
    } finally {
      await product.close();
    }
  }

  rank(position: number, row: Float32Array | Float64Array, count: number): Ranking {
    return (position === 0 ? this.#first : this.#rest).rank(row, count);
  }
}

/** Rows of every token after `prefix` at the input of `layer`, [vocabulary, d]. */
async function vocabularyRows(engine: StageEngine, layer: number, prefix: readonly number[]): Promise<Float64Array> {
  const walk = await VocabularyWalk.begin(engine, prefix);
  for (let each = 0; each < layer; each++) await walk.step(each);
  return Float64Array.from(walk.rows);
}
