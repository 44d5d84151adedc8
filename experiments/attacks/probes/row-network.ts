/**
 * A network that was trained to tell a token from one hidden row (recipe/row_mlp.py), in ONNX Runtime. A folder has MODEL-LAYER.onnx
 * and MODEL-LAYER.json for each that there is.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { Tensor as OrtTensor } from "../../../layers/onnx/runtime.ts";
import { z } from "zod";
import type { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { GraphSession } from "../../../layers/onnx/session.ts";
import type { RowProbe } from "./row-probe.ts";

/** What the file beside a network says. */
const about = z.strictObject({
  model: z.string().describe("name of the model whose rows it reads"),
  layer: z.int().min(0),
  width: z.int().min(1),
  vocabulary: z.int().min(1),
  trained: z.string(),
});

export class RowNetwork implements RowProbe {
  readonly name = "mlp";
  readonly width: number;
  readonly classes: number;
  /** A sentence on how it was trained. */
  readonly trained: string;
  readonly #session: GraphSession;

  private constructor(session: GraphSession, { width, vocabulary, trained }: z.infer<typeof about>) {
    this.width = width;
    this.classes = vocabulary;
    this.trained = trained;
    this.#session = session;
  }

  /**
   * Opens the network of a layer's hidden rows; null where the folder has none for it. Throws Error where it was made for another model,
   * or lacks its graph.
   */
  static async open(folder: string, model: string, layer: number): Promise<RowNetwork | null> {
    const file = path.join(folder, `${model}-${layer}.json`);
    let text: string;
    try {
      text = await readFile(file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
    const description = about.parse(JSON.parse(text));
    if (description.model !== model || description.layer !== layer)
      throw new Error(
        `row network ${file}: expected one for layer ${layer} of ${model}, got layer ${description.layer} of ${description.model}`,
      );
    const graph = await readFile(file.replace(/json$/, "onnx"));
    return new RowNetwork(await GraphSession.open(graph, { threads: 1, weightFolder: null }), description);
  }

  async scoreAll(_: Float64Product, rows: Float32Array): Promise<Float64Array> {
    const count = rows.length / this.width;
    const feeds = { rows: new OrtTensor("float32", rows, [count, this.width]) };
    return Float64Array.from((await this.#session.run(feeds, { scores: [count, this.classes] })).scores);
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}
