import type { Tensor as OrtTensor } from "./runtime.ts";
import type { Model } from "../model.ts";
import type { StageEngine } from "../stage-engine.ts";
import type { Tensor } from "../tensor.ts";
import { OnnxAttention } from "./attention-engine.ts";
import { RotaryTableCache } from "./position-tables.ts";
import { feed, feedIntegers, GraphSession } from "./session.ts";
import { embedGraph, finishGraph, logitsGraph, postGraph, preGraph } from "./stage-graphs.ts";
import { prepareWeights, type WeightFile } from "./weight-file.ts";

export { attentionEngine } from "./attention-engine.ts";

/** A group of stages that an engine opens when it starts; others open when they are first used. */
export type Stage = "embed" | "pre" | "attend" | "post" | "head";

export interface OnnxEngineOptions {
  /** Threads of one computation. */
  readonly threads: number;
  /** Stages to open at once; all when absent. */
  readonly stages?: readonly Stage[];
}

/** The model in ONNX Runtime, float32, one stage at a time. Prepares the weight file on first use. Doesn't close the model. */
export async function onnxEngine(model: Model, options: OnnxEngineOptions): Promise<StageEngine> {
  const { spec, program } = model;
  const { threads, stages = ["embed", "pre", "attend", "post", "head"] } = options;
  const graphs = new StageSessions(model, await prepareWeights(model), threads);
  const attention = new OnnxAttention(model, threads);
  if (stages.includes("attend")) await attention.open();
  await graphs.open(stages);
  const rotary = spec.rope === null ? null : new RotaryTableCache(spec.rope);
  const [queryWidth, keyWidth] = [spec.heads * spec.headDim, spec.kvHeads * spec.headDim];
  return {
    spec,
    word: "float32",
    attention: (layer) => program.attention(spec, layer),
    async embed(ids, positions) {
      checkIndices("embed: token id", ids, spec.vocabulary);
      if (rotary === null) checkIndices("embed: position", positions, spec.maxPositions);
      checkRows("embed", positions, ids.length);
      if (ids.length === 0) return empty(spec.width);
      const feeds = { ids: feedIntegers(ids), ...(rotary === null ? { positions: feedIntegers(positions) } : {}) };
      const { x } = await (await graphs.embed()).run(feeds, { x: [1, ids.length, spec.width] });
      return matrix(x, spec.width);
    },
    async pre(layer, x, positions) {
      const rows = checkMatrix("pre x", x, spec.width);
      checkRows("pre", positions, rows);
      if (rows === 0) return { q: empty(queryWidth), k: empty(keyWidth), v: empty(keyWidth) };
      const feeds: Record<string, OrtTensor> = { x: feed(x, [1, rows, spec.width]), ...rotary?.get(positions) };
      const shapes = { q: [1, rows, queryWidth], k: [1, rows, keyWidth], v: [1, rows, keyWidth] };
      const { q, k, v } = await (await graphs.pre(layer)).run(feeds, shapes);
      return { q: matrix(q, queryWidth), k: matrix(k, keyWidth), v: matrix(v, keyWidth) };
    },
    attend: (...given) => attention.attend(...given),
    async post(layer, x, attended) {
      const rows = checkMatrix("post x", x, spec.width);
      if (rows === 0) return empty(spec.width);
      const feeds = { x: feed(x, [1, rows, spec.width]), attended: feed(attended, [1, rows, queryWidth]) };
      const { next } = await (await graphs.post(layer)).run(feeds, { next: [1, rows, spec.width] });
      return matrix(next, spec.width);
    },
    async head(x) {
      const rows = checkMatrix("head x", x, spec.width);
      if (rows === 0)
        return { finished: empty(spec.width), logits: program.logits === null ? null : empty(spec.vocabulary) };
      const finish = await graphs.finish();
      const shape = [1, rows, spec.width];
      const finished =
        finish === null
          ? x
          : matrix((await finish.run({ x: feed(x, shape) }, { finished: shape })).finished, spec.width);
      const head = await graphs.logits();
      if (head === null) return { finished, logits: null };
      const { logits } = await head.run({ finished: feed(finished, shape) }, { logits: [1, rows, spec.vocabulary] });
      return { finished, logits: matrix(logits, spec.vocabulary) };
    },
    async close() {
      await Promise.all([graphs.close(), attention.close()]);
    },
  };
}

/** The sessions of a model's stages, each opened once. */
class StageSessions {
  readonly #model: Model;
  readonly #weights: WeightFile;
  readonly #threads: number;
  readonly #open = new Map<string, Promise<GraphSession | null>>();

  constructor(model: Model, weights: WeightFile, threads: number) {
    this.#model = model;
    this.#weights = weights;
    this.#threads = threads;
  }

  async open(stages: readonly Stage[]): Promise<void> {
    if (stages.includes("embed")) await this.embed();
    for (let layer = 0; layer < this.#model.spec.layers; layer++) {
      if (stages.includes("pre")) await this.pre(layer);
      if (stages.includes("post")) await this.post(layer);
    }
    if (stages.includes("head")) await this.finish().then(() => this.logits());
  }

  embed(): Promise<GraphSession> {
    return this.#get("embed", () => embedGraph(this.#model, this.#weights));
  }

  pre(layer: number): Promise<GraphSession> {
    return this.#get(`pre.${layer}`, () => preGraph(this.#model, this.#weights, layer));
  }

  post(layer: number): Promise<GraphSession> {
    return this.#get(`post.${layer}`, () => postGraph(this.#model, this.#weights, layer));
  }

  finish(): Promise<GraphSession | null> {
    return this.#get("finish", () => finishGraph(this.#model, this.#weights));
  }

  logits(): Promise<GraphSession | null> {
    return this.#get("logits", () => logitsGraph(this.#model, this.#weights));
  }

  async close(): Promise<void> {
    const sessions = await Promise.all(this.#open.values());
    this.#open.clear();
    await Promise.all(sessions.filter((session) => session !== null).map((session) => session.close()));
  }

  #get<G extends Uint8Array | null>(name: string, graph: () => G): Promise<G extends null ? null : GraphSession> {
    const known = this.#open.get(name) ?? this.#start(graph());
    this.#open.set(name, known);
    return known as Promise<G extends null ? null : GraphSession>;
  }

  async #start(graph: Uint8Array | null): Promise<GraphSession | null> {
    return graph === null
      ? null
      : GraphSession.open(graph, { threads: this.#threads, weightFolder: this.#weights.folder });
  }
}

const matrix = (data: Float32Array, columns: number): Tensor<Float32Array> => ({
  data,
  shape: [data.length / columns, columns],
});

const empty = (columns: number): Tensor<Float32Array> => ({ data: new Float32Array(0), shape: [0, columns] });

function checkMatrix(what: string, tensor: Tensor, columns: number): number {
  if (tensor.shape.length !== 2 || tensor.shape[1] !== columns || tensor.data.length !== tensor.shape[0] * columns) {
    throw new RangeError(
      `${what}: expected [rows, ${columns}], got [${tensor.shape.join(", ")}] with ${tensor.data.length} elements`,
    );
  }
  return tensor.shape[0];
}

function checkRows(what: string, positions: readonly number[], rows: number): void {
  if (positions.length !== rows)
    throw new RangeError(`${what}: expected a position for each of ${rows} rows, got ${positions.length}`);
}

function checkIndices(what: string, indices: readonly number[], end: number): void {
  const wrong = indices.find((index) => !Number.isInteger(index) || index < 0 || index >= end);
  if (wrong !== undefined) throw new RangeError(`${what}: expected an integer from 0 to ${end - 1}, got ${wrong}`);
}
