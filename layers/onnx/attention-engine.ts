import type { AttentionSpec } from "../program.ts";
import type { PartialAttention, StageEngine } from "../stage-engine.ts";
import type { Tensor } from "../tensor.ts";
import { MaskCache } from "./position-tables.ts";
import { feed, GraphSession } from "./session.ts";
import { attendGraph, type ModelProgram } from "./stage-graphs.ts";

/** Partial attention in ONNX Runtime. Needs the model's public shape, no weights; a graph for each kind of layer, not for each layer. */
export class OnnxAttention {
  readonly #model: ModelProgram;
  readonly #threads: number;
  readonly #sessions = new Map<string, Promise<GraphSession>>();
  /** The session of each layer, so that a call looks it up by number alone. */
  readonly #layers: Promise<GraphSession>[] = [];
  readonly #masks = new MaskCache();

  constructor(model: ModelProgram, threads: number) {
    this.#model = model;
    this.#threads = threads;
  }

  spec(layer: number): AttentionSpec {
    return this.#model.program.attention(this.#model.spec, layer);
  }

  /** Opens the graphs of all layers. */
  async open(): Promise<void> {
    for (let layer = 0; layer < this.#model.spec.layers; layer++) await this.#session(layer);
  }

  /** See `StageEngine.attend`. */
  async attend(
    layer: number,
    q: Tensor,
    qPositions: readonly number[],
    k: Tensor,
    v: Tensor,
    kPositions: readonly number[],
  ): Promise<PartialAttention> {
    const attention = this.spec(layer);
    const { heads, kvHeads, headDim } = attention;
    const [rows, keys] = [qPositions.length, kPositions.length];
    checkElements("q", q, rows * heads * headDim);
    checkElements("k", k, keys * kvHeads * headDim);
    checkElements("v", v, keys * kvHeads * headDim);
    if (rows === 0 || keys === 0) return nothingSeen(rows, attention);
    const session = await this.#session(layer);
    const group = heads / kvHeads;
    const feeds = {
      q: feed(q, [rows, kvHeads, group, headDim]),
      k: feed(k, [keys, kvHeads, 1, headDim]),
      v: feed(v, [keys, kvHeads, 1, headDim]),
      mask: this.#masks.get(attention, qPositions, kPositions),
    };
    const scalars = [rows, kvHeads, group, 1];
    // One after the other in one buffer, in the order in which they travel.
    const { u, m, e } = await session.run(feeds, { u: [rows, kvHeads, group, headDim], m: scalars, e: scalars });
    clearUnseen(u, m, e, headDim);
    const shape = [rows, heads];
    return { u: { data: u, shape: [rows, heads * headDim] }, m: { data: m, shape }, e: { data: e, shape } };
  }

  async close(): Promise<void> {
    const sessions = await Promise.all(this.#sessions.values());
    this.#sessions.clear();
    this.#layers.length = 0;
    await Promise.all(sessions.map((session) => session.close()));
  }

  #session(layer: number): Promise<GraphSession> {
    return (this.#layers[layer] ??= this.#shared(this.spec(layer)));
  }

  #shared(attention: AttentionSpec): Promise<GraphSession> {
    // Window and causality are in the mask, so layers that differ in these alone share a graph.
    const key = JSON.stringify({ ...attention, window: null, causal: null });
    const session =
      this.#sessions.get(key) ??
      GraphSession.open(attendGraph(attention), { threads: this.#threads, weightFolder: null });
    this.#sessions.set(key, session);
    return session;
  }
}

/**
 * The part of a model that an AttnNode runs, without weights: `attend` alone.
 * The other stages throw, as their weights are not there.
 */
export async function attentionEngine(
  model: ModelProgram,
  options: { readonly threads: number },
): Promise<StageEngine> {
  const attention = new OnnxAttention(model, options.threads);
  await attention.open();
  const absent = (stage: string): never => {
    throw new Error(`${stage}: expected an engine with this stage, got one that runs attention alone`);
  };
  return {
    spec: model.spec,
    word: "float32",
    attention: (layer) => attention.spec(layer),
    attend: (...given) => attention.attend(...given),
    embed: async () => absent("embed"),
    pre: async () => absent("pre"),
    post: async () => absent("post"),
    head: async () => absent("head"),
    close: () => attention.close(),
  };
}

/** Rows that see nothing get exact zeros, as exp of the least float32 need not be 0. u [slots, headDim]; m and e [slots]. */
function clearUnseen(u: Float32Array, m: Float32Array, e: Float32Array, headDim: number): void {
  for (let slot = m.indexOf(-Infinity); slot >= 0; slot = m.indexOf(-Infinity, slot + 1)) {
    u.fill(0, slot * headDim, (slot + 1) * headDim);
    e[slot] = 0;
  }
}

const nothingSeen = (rows: number, { heads, headDim }: AttentionSpec): PartialAttention => ({
  u: { data: new Float32Array(rows * heads * headDim), shape: [rows, heads * headDim] },
  m: { data: new Float32Array(rows * heads).fill(-Infinity), shape: [rows, heads] },
  e: { data: new Float32Array(rows * heads), shape: [rows, heads] },
});

function checkElements(what: string, tensor: Tensor, elements: number): void {
  if (tensor.data.length !== elements)
    throw new RangeError(
      `attend ${what}: expected ${elements} elements for these positions, got ${tensor.data.length}`,
    );
}
