/** Own tokens from single rows of one kind at one layer: what vocab-match and gap-match order candidates by, and row-invert answers. */
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { firstRows } from "./first-rows.ts";
import type { LinearProbe, Ranking } from "./linear-probe.ts";
import { bestProbe, ownTokenProbe, type LabelledRows, type OwnTokenProbe } from "./own-token-probes.ts";
import { ProbeTraining } from "./probe-training.ts";
import { directions, hiddenRows, type RowReader } from "./row-kinds.ts";

export interface OwnProbeTraining {
  readonly engine: StageEngine;
  readonly layer: number;
  /** Public text, as ids. */
  readonly documents: readonly (readonly number[])[];
  /** Most tokens of it. */
  readonly tokens: number;
  readonly seed: number;
}

/** What a training may have besides. */
export interface OwnProbeChoices {
  readonly product: Float64Product;
  readonly readers: readonly RowReader[];
  /** Of which the best on calibration rows is taken; the first one where there are none. */
  readonly probes: readonly OwnTokenProbe[];
  /** Rows of other prompts after position 0, as the reader reads them. */
  readonly calibration: (reader: RowReader) => Promise<LabelledRows>;
  /** Tokens that the model reads at a time of the training text. */
  readonly windowTokens: number;
  /** Fixed texts after which every token of the vocabulary is read. */
  readonly prefixes: number;
  readonly report: (doing: string) => void;
}

/** No calibration rows: the first probe is taken. */
export const NO_ROWS: LabelledRows = { rows: new Float32Array(0), ids: [] };

export class OwnProbes {
  readonly reader: RowReader;
  /** Mean of 1 / rank on the calibration rows; NaN without any. */
  readonly calibrationScore: number;
  readonly #first: LinearProbe;
  readonly #rest: LinearProbe;

  private constructor(reader: RowReader, first: LinearProbe, rest: LinearProbe, calibrationScore: number) {
    this.reader = reader;
    this.#first = first;
    this.#rest = rest;
    this.calibrationScore = calibrationScore;
  }

  /** Class means of hidden rows, without calibration. Throws Error for too little training text. */
  static async train(training: OwnProbeTraining): Promise<OwnProbes> {
    const product = await Float64Product.open(1);
    try {
      const { own } = await OwnProbes.trainEach(training, {
        product,
        readers: [hiddenRows(training.engine.spec.width)],
        probes: ["class-means"],
        calibration: () => Promise.resolve(NO_ROWS),
        windowTokens: 32,
        prefixes: 1,
        report: () => {},
      });
      return own[0];
    } finally {
      await product.close();
    }
  }

  /**
   * Probes of each reader's rows, from one run of the training text to the layer and 1 + `prefixes` of the vocabulary; none of them
   * depends on a prompt. `counts` [vocabulary]: training rows of each token. Throws Error for too little training text.
   */
  static async trainEach(
    { engine, layer, documents, tokens, seed }: OwnProbeTraining,
    { product, readers, probes, calibration, windowTokens, prefixes, report }: OwnProbeChoices,
  ): Promise<{ readonly own: readonly OwnProbes[]; readonly counts: Int32Array }> {
    const training = await ProbeTraining.begin(engine, product, { documents, tokens, windowTokens, prefixes, seed });
    report(`rows of ${training.walk.ids.length} training tokens up to layer ${layer}`);
    await training.goTo(layer);
    const materials = await training.collect(readers);
    const first = await firstRows(engine, layer, readers);
    const own: OwnProbes[] = [];
    for (const [at, material] of materials.entries()) {
      const { reader } = material;
      report(`probes of ${reader.kind} rows at layer ${layer}`);
      const labelled = await calibration(reader);
      const choices = probes.map((name) => () => ownTokenProbe(engine, product, name, material, labelled));
      const { probe, score } = await bestProbe(product, choices, labelled);
      own.push(new OwnProbes(reader, first[at], probe, score));
    }
    return { own, counts: training.counts };
  }

  /** The `count` likeliest tokens of a row as the reader reads it; a hidden row may be as the model has it. */
  rank(position: number, row: Float32Array | Float64Array, count: number): Ranking {
    const read = this.reader.kind === "row" ? directions(row, this.reader.width) : row;
    return (position === 0 ? this.#first : this.#rest).rank(read, count);
  }
}
