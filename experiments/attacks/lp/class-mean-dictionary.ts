/**
 * An estimated dictionary of a later layer: the key and value that a token has on average over public text, at any position. A hidden
 * token's own ones differ from it by what its context does, which is noise to whoever doesn't know that context.
 */
import type { Model } from "../../../layers/model.ts";
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import type { DictionaryPage } from "../matching/layer-zero-dictionary.ts";
import { ClassStatistics } from "../probes/class-statistics.ts";
import { LayerWalk, type RowBatch } from "../probes/layer-walk.ts";
import { unrotated } from "../probes/row-kinds.ts";
import { trainingWindows } from "../probes/training-windows.ts";
import { VocabularyWalk } from "../probes/vocabulary-walk.ts";
import { whitening } from "../probes/whitening.ts";
import type { SumObservation } from "./sum-observation.ts";
import type { TokenDictionary } from "./token-dictionary.ts";

/** Training rows that a token's row after a fixed text is worth beside its rows in training text. */
const PRIOR_ROWS = 2;
/** Added to the diagonal of the covariance of values, as a share of it. */
const PENALTY = 1e-3;
/** Tokens of a training window: prompts that are attacked are as short, and keys at first positions are unlike later ones. */
const WINDOW = 16;

export interface ClassMeanTraining {
  readonly model: Model;
  readonly engine: StageEngine;
  readonly layer: number;
  /** Public text, as ids, and how many tokens of it at most. */
  readonly documents: readonly (readonly number[])[];
  readonly tokens: number;
  readonly seed: number;
}

export class ClassMeanDictionary implements TokenDictionary {
  readonly #engine: StageEngine;
  readonly #model: Model;
  /** [vocabulary, 2·kvHeads·headDim]: key without its rotation, then value. */
  readonly #means: Float32Array;
  /** By key-value head, [headDim, headDim]: makes the deviations of its values within a token's rows uncorrelated and of size 1. */
  readonly #whitening: readonly Float64Array[];
  /** Mean value of the vocabulary, [kvHeads·headDim]. */
  readonly #center: Float64Array;

  private constructor(model: Model, engine: StageEngine, means: Float32Array, transforms: readonly Float64Array[]) {
    this.#model = model;
    this.#engine = engine;
    this.#means = means;
    this.#whitening = transforms;
    const { kvHeads, headDim } = engine.attention(0);
    const columns = kvHeads * headDim;
    this.#center = new Float64Array(columns);
    means.forEach((value, at) => {
      const i = (at % (2 * columns)) - columns;
      if (i >= 0) this.#center[i] += (value * 2 * columns) / means.length;
    });
  }

  /** One walk of the training text to the layer. Throws Error where the documents hold no whole window. */
  static async train(training: ClassMeanTraining): Promise<ClassMeanDictionary> {
    const { model, engine, layer, documents, tokens, seed } = training;
    const { vocabulary, rope } = model.spec;
    const { kvHeads, headDim } = engine.attention(layer);
    const columns = kvHeads * headDim;
    const product = await Float64Product.open(1);
    try {
      const windows = trainingWindows(documents, { tokens, length: WINDOW, seed });
      const keyAndValue = ({ projections, positions, ids: { length: rows } }: RowBatch): Float32Array => {
        const { k, v } = projections!;
        const flat = rope === null ? k : unrotated(k, positions, rope, headDim);
        const both = new Float32Array(2 * k.length);
        for (let row = 0; row < rows; row++) {
          both.set(flat.subarray(row * columns, (row + 1) * columns), 2 * row * columns);
          both.set(v.subarray(row * columns, (row + 1) * columns), (2 * row + 1) * columns);
        }
        return both;
      };
      const statistics = new ClassStatistics(2 * columns, vocabulary);
      const walk = await LayerWalk.begin(engine, windows);
      while (walk.layer < layer) await walk.step();
      await walk.step((batch) =>
        // The first key of a text is a function of its token alone, and unlike all others.
        statistics.add(
          product,
          keyAndValue(batch),
          batch.ids.map((id, row) => (batch.positions[row] === 0 ? -1 : id)),
        ),
      );
      const references = new Float32Array(vocabulary * 2 * columns);
      const fixed = await VocabularyWalk.begin(engine, windows[0].slice(0, WINDOW / 2));
      for (let at = 0; at < layer; at++) await fixed.step(at);
      await fixed.step(layer, (batch) => references.set(keyAndValue(batch), batch.from * 2 * columns));
      const { width, classes, counts, sums, seen } = statistics;
      const shift = new Float64Array(width); // from rows after the fixed text to rows in text
      for (const c of seen)
        for (let i = 0; i < width; i++) shift[i] += (sums[c]![i] / counts[c] - references[c * width + i]) / seen.length;
      const means = Float32Array.from({ length: classes * width }, (_, at) => {
        const [c, i] = [Math.floor(at / width), at % width];
        return ((sums[c]?.[i] ?? 0) + PRIOR_ROWS * (references[at] + shift[i])) / (counts[c] + PRIOR_ROWS);
      });
      const covariance = await statistics.pooledCovariance(product);
      const transforms = Array.from({ length: kvHeads }, (_, g) =>
        valueWhitening(covariance, width, (kvHeads + g) * headDim, headDim),
      );
      return new ClassMeanDictionary(model, engine, means, transforms);
    } finally {
      await product.close();
    }
  }

  /** Mean keys of these tokens, rotated for the position, and their whitened mean values. */
  async page(position: number, tokens: readonly number[]): Promise<DictionaryPage> {
    const { kvHeads, headDim } = this.#engine.attention(0);
    const columns = kvHeads * headDim;
    const [k, v] = [new Float32Array(tokens.length * columns), new Float32Array(tokens.length * columns)];
    tokens.forEach((token, row) => {
      const from = token * 2 * columns;
      k.set(this.#means.subarray(from, from + columns), row * columns);
      v.set(this.#means.subarray(from + columns, from + 2 * columns), row * columns);
    });
    const { rope } = this.#model.spec;
    const turned =
      rope === null
        ? k
        : unrotated(
            k,
            tokens.map(() => -position),
            rope,
            headDim,
          );
    return this.seenPage({ position, tokens, k: turned, v });
  }

  seenPage(page: DictionaryPage): DictionaryPage {
    return { ...page, v: Float32Array.from(this.#whiten(page.v, (head) => head)) };
  }

  /** Equations about the center where e is known: an estimated weight near 0 must not make them small. */
  observation(seen: SumObservation): SumObservation {
    const { heads, kvHeads } = this.#engine.attention(0);
    const output = this.#whiten(seen.output, (h) => Math.floor((h * kvHeads) / heads));
    return { ...seen, output, origin: seen.total === null ? output : new Float64Array(output.length) };
  }

  /** Slices of headDim, the i-th by the transform of key-value head `of(i mod slices of a row)`. */
  #whiten(data: ArrayLike<number>, of: (slice: number) => number): Float64Array {
    const { kvHeads, headDim } = this.#engine.attention(0);
    const result = new Float64Array(data.length);
    for (let from = 0; from < data.length; from += headDim) {
      const head = of(from / headDim) % kvHeads;
      const transform = this.#whitening[head];
      for (let i = 0; i < headDim; i++) {
        const value = data[from + i] - this.#center[head * headDim + i];
        for (let j = 0; j < headDim; j++) result[from + j] += value * transform[i * headDim + j];
      }
    }
    return result;
  }
}

/** Whitening of a block on the diagonal of a covariance [width, width], `size` wide from `from`. */
function valueWhitening(covariance: Float64Array, width: number, from: number, size: number): Float64Array {
  const block = new Float64Array(size * size);
  for (let i = 0; i < size; i++)
    for (let j = 0; j < size; j++) {
      const value = covariance[(from + i) * width + from + j];
      block[i * size + j] = i === j ? value * (1 + PENALTY) : value;
    }
  return whitening(block, size);
}
