import { Tensor as OrtTensor } from "./runtime.ts";
import type { Model } from "../model.ts";
import type { ModelSpec } from "../model-spec.ts";
import type { Tensor } from "../tensor.ts";
import { maskName, monolithicGraph } from "./monolithic-graph.ts";
import { MaskCache, RotaryTableCache } from "./position-tables.ts";
import { feedIntegers, GraphSession } from "./session.ts";
import { prepareWeights } from "./weight-file.ts";

/** What a pass should give beside the logits of its last row. */
export interface PassOptions {
  /** Logits of every new row; default: of the last one alone. */
  readonly allLogits?: boolean;
  /** Hidden states as transformers counts them: hidden[0] the embedding, hidden[l] after block l, the last one final-normed. */
  readonly hidden?: boolean;
}

export interface PassResult {
  /** [1 or rows, vocabulary]; null for an encoder */
  readonly logits: Tensor<Float32Array> | null;
  /** each [rows, d]; empty unless asked for */
  readonly hidden: readonly Tensor<Float32Array>[];
}

/** A sequence that grows: the keys and values of its tokens so far. */
export interface PlainSequence {
  /** Tokens so far. */
  readonly length: number;
  /** Runs the model on the next tokens. Throws RangeError for a token that the vocabulary doesn't have. */
  extend(ids: readonly number[], options?: PassOptions): Promise<PassResult>;
}

/** The whole model in one ONNX Runtime session: what "unsharded" means in every comparison. */
export interface MonolithicModel {
  readonly spec: ModelSpec;
  /** A new, empty sequence. */
  begin(): PlainSequence;
  close(): Promise<void>;
}

/** Opens a model unsharded, in float32, on `threads` threads. Doesn't close the model. */
export async function monolithicModel(
  model: Model,
  { threads }: { readonly threads: number },
): Promise<MonolithicModel> {
  const weights = await prepareWeights(model);
  const open = (hasPast: boolean): Promise<GraphSession> =>
    GraphSession.open(monolithicGraph(model, weights, hasPast), { threads, weightFolder: weights.folder });
  const first = await open(false);
  // A continuation has its own graph over the same mapped weights, opened when a sequence first grows.
  let next: Promise<GraphSession> | undefined;
  const sessionFor = (past: number): Promise<GraphSession> =>
    past === 0 ? Promise.resolve(first) : (next ??= open(true));
  return {
    spec: model.spec,
    begin: () => new CachedSequence(model, sessionFor),
    async close() {
      await Promise.all([first.close(), next?.then((session) => session.close())]);
    },
  };
}

class CachedSequence implements PlainSequence {
  readonly #model: Model;
  readonly #sessionFor: (past: number) => Promise<GraphSession>;
  readonly #masks = new MaskCache();
  readonly #rotary: RotaryTableCache | null;
  readonly #cache: { k: RowBuffer; v: RowBuffer }[];
  #length = 0;

  constructor(model: Model, sessionFor: (past: number) => Promise<GraphSession>) {
    const { spec } = model;
    this.#model = model;
    this.#sessionFor = sessionFor;
    this.#rotary = spec.rope === null ? null : new RotaryTableCache(spec.rope);
    const columns = spec.kvHeads * spec.headDim;
    this.#cache = Array.from({ length: spec.layers }, () => ({ k: new RowBuffer(columns), v: new RowBuffer(columns) }));
  }

  get length(): number {
    return this.#length;
  }

  async extend(ids: readonly number[], { allLogits = false, hidden = false }: PassOptions = {}): Promise<PassResult> {
    const { spec, program } = this.#model;
    const [past, rows] = [this.#length, ids.length];
    const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= spec.vocabulary);
    if (wrong !== undefined)
      throw new RangeError(`token id: expected an integer from 0 to ${spec.vocabulary - 1}, got ${wrong}`);
    if (rows === 0) throw new RangeError("extend: expected at least one token, got none");
    if (!spec.causal && past > 0)
      throw new RangeError(
        `extend: expected the whole text at once, as this ${spec.modelType} model sees both ways, got a continuation`,
      );
    if (past + rows > spec.maxPositions)
      throw new RangeError(`extend: expected at most ${spec.maxPositions} tokens, got ${past + rows}`);
    const scored = allLogits ? ids.map((_, row) => row) : [rows - 1];
    const shapes: Record<string, readonly number[]> = {};
    const cacheShape = (count: number): number[] => [count, spec.kvHeads, 1, spec.headDim];
    for (let layer = 0; layer < spec.layers; layer++)
      for (const part of ["k", "v"]) shapes[`${part}.${layer}`] = cacheShape(rows);
    if (hidden) for (let i = 0; i <= spec.layers; i++) shapes[`hidden.${i}`] = [1, rows, spec.width];
    if (program.logits !== null) shapes.logits = [1, scored.length, spec.vocabulary];
    const results = await (await this.#sessionFor(past)).run(this.#feeds(ids, scored, cacheShape(past)), shapes);
    this.#cache.forEach(({ k, v }, layer) => (k.append(results[`k.${layer}`]), v.append(results[`v.${layer}`])));
    this.#length += rows;
    const matrix = (name: string, columns: number): Tensor<Float32Array> => ({
      data: results[name],
      shape: [results[name].length / columns, columns],
    });
    return {
      logits: program.logits === null ? null : matrix("logits", spec.vocabulary),
      hidden: hidden ? Array.from({ length: spec.layers + 1 }, (_, i) => matrix(`hidden.${i}`, spec.width)) : [],
    };
  }

  #feeds(ids: readonly number[], scored: readonly number[], pastShape: readonly number[]): Record<string, OrtTensor> {
    const { spec, program } = this.#model;
    const past = this.#length;
    const keys = Array.from({ length: past + ids.length }, (_, t) => t);
    const positions = keys.slice(past);
    const feeds: Record<string, OrtTensor> = { ids: feedIntegers(ids) };
    if (past > 0) feeds.sizes = feedIntegers([past, ids.length]);
    if (this.#rotary === null) feeds.positions = feedIntegers(positions);
    else Object.assign(feeds, this.#rotary.get(positions));
    if (program.logits !== null) feeds.wanted = feedIntegers(scored);
    this.#cache.forEach(({ k, v }, layer) => {
      const attention = program.attention(spec, layer);
      feeds[maskName(attention.window)] = this.#masks.get(attention, positions, keys);
      if (past === 0) return;
      feeds[`past.k.${layer}`] = new OrtTensor("float32", k.rows, pastShape);
      feeds[`past.v.${layer}`] = new OrtTensor("float32", v.rows, pastShape);
    });
    return feeds;
  }
}

/** Rows that are appended to and read as one block; grows by doubling, so each row is copied a constant number of times. */
class RowBuffer {
  #data: Float32Array;
  #used = 0;

  constructor(columns: number) {
    this.#data = new Float32Array(FIRST_ROWS * columns);
  }

  /** A view of all rows so far. */
  get rows(): Float32Array {
    return this.#data.subarray(0, this.#used);
  }

  append(rows: Float32Array): void {
    if (this.#used + rows.length > this.#data.length) {
      const grown = new Float32Array(Math.max(2 * this.#data.length, this.#used + rows.length));
      grown.set(this.rows);
      this.#data = grown;
    }
    this.#data.set(rows, this.#used);
    this.#used += rows.length;
  }
}

const FIRST_ROWS = 64;
