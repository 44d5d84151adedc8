import type { Float64Product } from "../../../layers/onnx/float64-product.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import type { RowProbe } from "./row-probe.ts";

/** The model's own head as a probe of the next token: what would be said next if the layers to come did nothing (nostalgebraist 2020). */
export class LogitLens implements RowProbe {
  readonly name = "logit-lens";
  readonly width: number;
  readonly classes: number;
  readonly #engine: StageEngine;

  constructor(engine: StageEngine) {
    this.width = engine.spec.width;
    this.classes = engine.spec.vocabulary;
    this.#engine = engine;
  }

  /** Logits of hidden rows. Throws Error where the model has no head. */
  async scoreAll(_: Float64Product, rows: Float32Array): Promise<Float64Array> {
    const { logits } = await this.#engine.head({ data: rows, shape: [rows.length / this.width, this.width] });
    if (logits === null) throw new Error("logit lens: expected a model with a head, got an encoder");
    return Float64Array.from(logits.data);
  }
}
