/**
 * The trained network that scores the tokens before a hidden row from this one row (recipe/preceding_tokens.py), in ONNX Runtime. A folder
 * has MODEL-LAYER.onnx and MODEL-LAYER.json for each that there is.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { Tensor as OrtTensor } from "../../../layers/onnx/runtime.ts";
import { GraphSession } from "../../../layers/onnx/session.ts";

/** What the file beside a network says. */
const about = z.strictObject({
  model: z.string().describe("name of the model whose rows it reads"),
  layer: z.int().min(0),
  width: z.int().min(1),
  places: z.int().min(1).describe("positions before a row that it scores tokens of"),
  vocabulary: z.int().min(1),
  trained: z.string(),
});

export class PrecedingNetwork {
  /** Positions before a row. */
  readonly places: number;
  readonly vocabulary: number;
  readonly width: number;
  readonly #session: GraphSession;

  private constructor(session: GraphSession, { places, vocabulary, width }: z.infer<typeof about>) {
    this.#session = session;
    this.places = places;
    this.vocabulary = vocabulary;
    this.width = width;
  }

  /** Opens the network of a layer's hidden rows. Throws Error where the folder has none for it, or it was made for another model. */
  static async open(folder: string, model: string, layer: number): Promise<PrecedingNetwork> {
    const file = path.join(folder, `${model}-${layer}`);
    let texts: [Buffer, string];
    try {
      texts = [await readFile(`${file}.onnx`), await readFile(`${file}.json`, "utf8")];
    } catch (error) {
      throw new Error(
        `row-decode network: expected ${file}.onnx and .json, got ${(error as NodeJS.ErrnoException).code}; recipe/README.md says how to make them`,
        { cause: error },
      );
    }
    const description = about.parse(JSON.parse(texts[1]));
    if (description.model !== model || description.layer !== layer)
      throw new Error(
        `row-decode network ${file}: expected one for layer ${layer} of ${model}, got layer ${description.layer} of ${description.model}`,
      );
    return new PrecedingNetwork(await GraphSession.open(texts[0], { threads: 1, weightFolder: null }), description);
  }

  /**
   * Nats that tokens gain by rows over how frequent they are in text, [rows, places, vocabulary]; the first place is the position just
   * before the row. `rows` and `alone` [rows, width]: observed rows, and those that their own tokens would have alone in a prompt.
   */
  async scores(rows: Float32Array, alone: Float32Array): Promise<Float32Array> {
    const { width, places, vocabulary } = this;
    const count = rows.length / width;
    const evidence = new Float32Array(2 * rows.length);
    for (let row = 0; row < count; row++) {
      const at = row * width;
      let square = 0;
      for (let i = at; i < at + width; i++) square += rows[i] ** 2;
      const factor = square === 0 ? 0 : Math.sqrt(width / square);
      for (let i = 0; i < width; i++) {
        evidence[2 * at + i] = factor * rows[at + i];
        evidence[2 * at + width + i] = factor * (rows[at + i] - alone[at + i]);
      }
    }
    const feeds = { evidence: new OrtTensor("float32", evidence, [count, 2 * width]) };
    return (await this.#session.run(feeds, { scores: [count, places, vocabulary] })).scores;
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}
