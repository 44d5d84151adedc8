/** What the model computes with nothing sharded and nothing secret: what the hybrid is held against. */
import type { Model } from "../../layers/model.ts";
import { monolithicModel, type MonolithicModel } from "../../layers/onnx/monolithic-model.ts";
import { plainForward } from "../../layers/reference/plain-forward.ts";
import { rowArgMax } from "../verify/golden.ts";
import type { AccuracyText } from "./accuracy-texts.ts";
import type { Continuation } from "./greedy-difference.ts";

/** Readings of each text, made once. */
export class PlainReadings {
  readonly #model: Model;
  readonly #rows = new Map<string, { rows: ArrayLike<number>; logits: Float32Array | null }>();
  readonly #continuations = new Map<string, Continuation>();
  #plain: MonolithicModel | undefined;

  constructor(model: Model) {
    this.#model = model;
  }

  /**
   * Rows of all positions after the last layer and the final norm, [N, d]: another framework's where the text has them, else float64 for
   * an encoder and float32 for a decoder; and a decoder's logits in float32, [N, vocabulary].
   */
  async rows(text: AccuracyText): Promise<{ rows: ArrayLike<number>; logits: Float32Array | null }> {
    const known = this.#rows.get(text.name);
    if (known !== undefined) return known;
    const golden = text.hidden.get(this.#model.spec.layers);
    const encoder = this.#model.program.logits === null;
    const pass = encoder
      ? null
      : await (await this.#open()).begin().extend(text.ids, { allLogits: true, hidden: true });
    const rows = golden ?? pass?.hidden.at(-1)!.data ?? (await plainForward(this.#model, text.ids)).hidden.at(-1)!.data;
    const reading = { rows, logits: pass?.logits?.data ?? null };
    this.#rows.set(text.name, reading);
    return reading;
  }

  /** `steps` greedy tokens, fewer at a stop token, which is given too. */
  async greedy({ name, ids }: AccuracyText, steps: number, stops: ReadonlySet<number>): Promise<Continuation> {
    const known = this.#continuations.get(name);
    if (known !== undefined) return known;
    const sequence = (await this.#open()).begin();
    const [tokens, logits]: [number[], Float32Array[]] = [[], []];
    while (tokens.length < steps && !stops.has(tokens.at(-1) ?? -1)) {
      const next = await sequence.extend(tokens.length === 0 ? ids : tokens.slice(-1));
      logits.push(next.logits!.data.slice());
      tokens.push(rowArgMax(next.logits!.data, 1)[0]);
    }
    this.#continuations.set(name, { tokens, logits });
    return { tokens, logits };
  }

  async close(): Promise<void> {
    await this.#plain?.close();
  }

  async #open(): Promise<MonolithicModel> {
    return (this.#plain ??= await monolithicModel(this.#model, { threads: 1 }));
  }
}
