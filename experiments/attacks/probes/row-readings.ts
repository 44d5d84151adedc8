/** Own tokens from single rows: probes trained for some kinds of row at one layer, the best of each chosen on calibration views. */
import { z } from "zod";
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import type { Preparation } from "../../lab/attack.ts";
import { bestProbe, OWN_TOKEN_PROBES, type LabelledRows } from "./own-token-probes.ts";
import { rowReaders, type RowKind, type RowReader } from "./row-kinds.ts";
import type { RowProbe } from "./row-probe.ts";
import { likeliestTokens } from "./scored-rows.ts";
import { positionsOf, rowsOf } from "./view-rows.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";
import { OwnProbes } from "./own-probes.ts";

/** How probes are trained. */
export const probeOptions = z.strictObject({
  trainingTokens: z.int().min(64).default(60_000).describe("tokens of public text that probes learn from"),
  windowTokens: z.int().min(2).default(128).describe("tokens that the model reads at a time of it"),
  prefixes: z.int().min(1).default(4).describe("fixed texts after which every token of the vocabulary is read"),
  probes: z
    .array(z.enum(OWN_TOKEN_PROBES))
    .min(1)
    .default([...OWN_TOKEN_PROBES])
    .describe("of which the best on calibration prompts is taken; the first one where there are none"),
  guesses: z.int().min(1).default(5).describe("tokens named for a position"),
});
export type ProbeOptions = z.infer<typeof probeOptions>;

export class RowReadings {
  /** In the order asked for; kinds that the layer doesn't have are left out. */
  readonly readings: readonly OwnProbes[];
  /** Token ids by their frequency in the training text, most frequent first. */
  readonly frequent: readonly number[];
  /** Normed rows are solved for with it, so it stays open. */
  readonly #product: Float64Product;
  /** What reads hidden rows after position 0 better than closed-form probes do; null: nothing. */
  readonly #network: RowProbe | null;
  readonly #layer: number;
  readonly #guesses: number;

  private constructor(
    product: Float64Product,
    readings: readonly OwnProbes[],
    network: RowProbe | null,
    frequent: readonly number[],
    layer: number,
    guesses: number,
  ) {
    this.#product = product;
    this.#network = network;
    this.readings = readings;
    this.frequent = frequent;
    this.#layer = layer;
    this.#guesses = guesses;
  }

  /**
   * Walks the training text and the vocabulary to the layer and trains probes there. A trained network of hidden rows, if given, reads
   * them in place of the best probe where it does better on calibration rows. Throws Error for too little training text.
   */
  static async train(
    { model, engine, encode, training, layer, calibration, seed, report }: Preparation,
    kinds: readonly RowKind[],
    { trainingTokens: tokens, windowTokens, prefixes, probes, guesses }: ProbeOptions,
    network: RowProbe | null = null,
  ): Promise<RowReadings> {
    const product = await Float64Product.open(1);
    try {
      const documents = training.documents.map(encode);
      const text = { engine, layer, documents, tokens, seed };
      const { own, counts } = await OwnProbes.trainEach(text, {
        product,
        readers: await rowReaders(model, layer, kinds, product),
        probes,
        calibration: (reader) => calibrationRows(calibration, layer, reader),
        windowTokens,
        prefixes,
        report,
      });
      const frequent = Array.from(counts.keys()).sort((a, b) => counts[b] - counts[a] || a - b);
      const read = own.find(({ reader }) => reader.kind === "row");
      let better: RowProbe | null = null;
      if (read !== undefined && network !== null) {
        const labelled = await calibrationRows(calibration, layer, read.reader);
        const { score } = await bestProbe(product, [() => network], labelled);
        if (score > read.calibrationScore) better = network;
      }
      return new RowReadings(product, own, better, frequent, layer, guesses);
    } catch (error) {
      await product.close();
      throw error;
    }
  }

  /** Guesses for every position that the view has rows of, by the first kind that it has there. */
  async recover(view: RecordedView): Promise<Map<number, number[]>> {
    const guesses = new Map<number, number[]>();
    for (const own of this.readings) {
      const { reader } = own;
      const positions = positionsOf(view, this.#layer, reader.kind).filter((position) => !guesses.has(position));
      const rows = await rowsOf(view, this.#layer, reader, positions);
      const network = reader.kind === "row" ? this.#network : null;
      const named = network === null ? [] : await likeliestTokens(this.#product, network, rows, this.#guesses);
      positions.forEach((position, at) => {
        const row = rows.subarray(at * reader.width, (at + 1) * reader.width);
        const isNamed = network !== null && position > 0;
        guesses.set(position, isNamed ? named[at] : own.rank(position, row, this.#guesses).ids);
      });
    }
    return guesses;
  }

  /** The most frequent tokens, for every position that `recover` would have guessed at. */
  prior(view: RecordedView): Map<number, number[]> {
    const positions = this.readings.flatMap(({ reader }) => positionsOf(view, this.#layer, reader.kind));
    return new Map(positions.map((position) => [position, this.frequent.slice(0, this.#guesses)]));
  }

  close(): Promise<void> {
    return this.#product.close();
  }

  /** Calibration scores by kind of row, where there was calibration, and whether a network reads hidden rows. */
  figures(): Record<string, number> {
    const scores = this.readings
      .filter(({ calibrationScore }) => !Number.isNaN(calibrationScore))
      .map(({ reader, calibrationScore }): [string, number] => [`calibration ${reader.kind}`, calibrationScore]);
    return { ...Object.fromEntries(scores), network: this.#network === null ? 0 : 1 };
  }
}

/** Rows of one kind after position 0 that calibration views have, with their tokens. */
export async function calibrationRows(
  prompts: Preparation["calibration"],
  layer: number,
  reader: RowReader,
): Promise<LabelledRows> {
  const parts: Float32Array[] = [];
  const ids: number[] = [];
  for (const prompt of prompts) {
    const positions = positionsOf(prompt.view, layer, reader.kind).filter((position) => position > 0);
    parts.push(await rowsOf(prompt.view, layer, reader, positions));
    ids.push(...positions.map((position) => prompt.ids[position]));
  }
  const rows = new Float32Array(ids.length * reader.width);
  let at = 0;
  for (const part of parts) {
    rows.set(part, at);
    at += part.length;
  }
  return { rows, ids };
}
