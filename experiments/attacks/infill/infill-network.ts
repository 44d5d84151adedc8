/** The trained network that fills missing tokens (recipe/infill_train.py), in ONNX Runtime. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { Tensor as OrtTensor } from "../../../layers/onnx/runtime.ts";
import { z } from "zod";
import { GraphSession } from "../../../layers/onnx/session.ts";
import type { LayerRows } from "../probes/visible-rows.ts";

/** What a network's infill.json says. */
const about = z.strictObject({
  model: z.string().describe("name of the model whose rows it reads"),
  rowLayers: z.array(z.int().min(0)).min(1).describe("layers whose input rows it reads"),
  width: z.int(),
  vocabulary: z.int(),
  mask: z.int().describe("id of a token that isn't known"),
  trained: z.string(),
});

/** What the network is told of a prompt. */
export interface InfillEvidence {
  /** Tokens of the prompt, known or not. */
  readonly length: number;
  readonly known: ReadonlyMap<number, number>;
  /** Observed rows. */
  readonly rows: LayerRows;
  /** Observed rows less those that the known tokens alone would give, at known positions. */
  readonly differences: LayerRows;
}

export class InfillNetwork {
  readonly rowLayers: readonly number[];
  readonly vocabulary: number;
  readonly #session: GraphSession;
  readonly #about: z.infer<typeof about>;

  private constructor(session: GraphSession, description: z.infer<typeof about>) {
    this.#session = session;
    this.#about = description;
    this.rowLayers = description.rowLayers;
    this.vocabulary = description.vocabulary;
  }

  /** Opens infill.onnx and infill.json of a folder. Throws Error where they are missing or made for another model. */
  static async open(folder: string, model: string): Promise<InfillNetwork> {
    let texts: [Buffer, string];
    try {
      texts = [
        await readFile(path.join(folder, "infill.onnx")),
        await readFile(path.join(folder, "infill.json"), "utf8"),
      ];
    } catch (error) {
      throw new Error(
        `infill network ${folder}: expected infill.onnx and infill.json, got ${(error as NodeJS.ErrnoException).code}; recipe/README.md says how to make them`,
        { cause: error },
      );
    }
    const description = about.parse(JSON.parse(texts[1]));
    if (description.model !== model)
      throw new Error(`infill network ${folder}: expected one for ${model}, got one for ${description.model}`);
    return new InfillNetwork(await GraphSession.open(texts[0], { threads: 1, weightFolder: null }), description);
  }

  /** Logits of every position's token, [length, vocabulary]; those of known positions mean nothing. */
  async logits({ length, known, rows, differences }: InfillEvidence): Promise<Float32Array> {
    const { mask, vocabulary } = this.#about;
    const ids = BigInt64Array.from({ length }, (_, position) => BigInt(known.get(position) ?? mask));
    const [own, beyond] = [this.#packed(length, rows), this.#packed(length, differences)];
    const feeds = {
      ids: new OrtTensor("int64", ids, [1, length]),
      rows: own.rows,
      rows_present: own.present,
      differences: beyond.rows,
      differences_present: beyond.present,
    };
    return (await this.#session.run(feeds, { logits: [1, length, vocabulary] })).logits;
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  /** Rows as [1, length, layers, width], and where there are any as [1, length, layers]. */
  #packed(length: number, rows: LayerRows): { rows: OrtTensor; present: OrtTensor } {
    const { rowLayers, width } = this.#about;
    const data = new Float32Array(length * rowLayers.length * width);
    const present = new Float32Array(length * rowLayers.length);
    rowLayers.forEach((layer, at) => {
      for (const [position, row] of rows.get(layer) ?? []) {
        if (position >= length) continue;
        const slot = position * rowLayers.length + at;
        present[slot] = 1;
        data.set(row, slot * width);
      }
    });
    return {
      rows: new OrtTensor("float32", data, [1, length, rowLayers.length, width]),
      present: new OrtTensor("float32", present, [1, length, rowLayers.length]),
    };
  }
}
