/**
 * Logit lens and neighbour probes.
 *
 * Functionality: what rows say of positions that are not their own. For t-2, t-1, t+1, t+2, t+3: class means of the neighbour on what is left
 *   of a row after its own token's mean row, put together with pair counts of public text; for t+1 the model's own head on the row
 *   instead, where that does better on calibration prompts. What several rows say of one position is multiplied. Own tokens, where the
 *   party wasn't given them, come from the own-token probe.
 * Needs: hidden rows of the layer; ids where the party has them.
 * Cost: as row-invert; an own-token probe, and a probe an offset, for every row.
 * Reference: logit lens (nostalgebraist 2020); Witten and Bell 1991 for the counts.
 * Controls: prior: the pair counts alone, from the ids that the party was given. Test: tests/experiments/attacks/neighbours.test.ts
 */
import { z } from "zod";
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import type { Attack, Preparation, PreparedAttack, Recovery } from "../../lab/attack.ts";
import { best, type LinearProbe } from "../probes/linear-probe.ts";
import { LogitLens } from "../probes/logit-lens.ts";
import { NeighbourProbe, OwnMeanRemoved } from "../probes/neighbour-probe.ts";
import { bestProbe, ownTokenProbe } from "../probes/own-token-probes.ts";
import { ProbeTraining } from "../probes/probe-training.ts";
import type { RowReader } from "../probes/row-kinds.ts";
import { TokenPairs } from "../probes/token-pairs.ts";
import { positionsOf, rowsOf } from "../probes/view-rows.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";
import { calibrationRows, probeOptions } from "../probes/row-readings.ts";
import { parseOptions } from "../../lab/parse-options.ts";

const neighboursOptions = probeOptions.extend({
  offsets: z
    .array(
      z
        .int()
        .min(-8)
        .max(8)
        .refine((offset) => offset !== 0, "another position than the row's own"),
    )
    .min(1)
    .default([-2, -1, 1, 2, 3])
    .describe("of the neighbours that rows are asked for"),
});
export type NeighboursOptions = z.infer<typeof neighboursOptions>;

export const neighbours: Attack<NeighboursOptions> = {
  name: "neighbours",
  strength: "single rows",
  reads: ["row"],
  parseOptions(value) {
    return parseOptions("neighbours", neighboursOptions, value);
  },
  prepare: (preparation, options) => NeighbourReading.prepare(preparation, options),
};

/** A row, the token it is held to be of, and what is left of it after that token's mean. */
interface ReadRow {
  readonly position: number;
  readonly features: Float32Array;
  readonly own: number;
  readonly left: Float32Array;
}

class NeighbourReading implements PreparedAttack {
  readonly #layer: number;
  readonly #guesses: number;
  readonly #product: Float64Product;
  readonly #reader: RowReader;
  readonly #own: LinearProbe;
  readonly #ownMean: OwnMeanRemoved;
  readonly #probes = new Map<number, NeighbourProbe>();
  /** Does the model's own head tell t + 1 better than the probe? */
  #hasLens = false;

  private constructor(
    preparation: Preparation,
    options: NeighboursOptions,
    product: Float64Product,
    parts: { readonly reader: RowReader; readonly own: LinearProbe; readonly ownMean: OwnMeanRemoved },
  ) {
    this.#layer = preparation.layer;
    this.#guesses = options.guesses;
    this.#product = product;
    this.#reader = parts.reader;
    this.#own = parts.own;
    this.#ownMean = parts.ownMean;
  }

  static async prepare(preparation: Preparation, options: NeighboursOptions): Promise<NeighbourReading> {
    const { model, engine, layer, calibration, seed, report } = preparation;
    const product = await Float64Product.open(1);
    try {
      const documents = preparation.training.documents.map(preparation.encode);
      const { trainingTokens: tokens, windowTokens, prefixes } = options;
      const text = { documents, tokens, windowTokens, prefixes, seed };
      const training = await ProbeTraining.begin(engine, product, text);
      report(`rows of ${training.walk.ids.length} training tokens up to layer ${layer}`);
      await training.goTo(layer);
      const material = await training.look();
      const { reader } = material;
      const labelled = await calibrationRows(calibration, layer, reader);
      const choices = options.probes.map((name) => () => ownTokenProbe(engine, product, name, material, labelled));
      const own = (await bestProbe(product, choices, labelled)).probe;
      const ownMean = new OwnMeanRemoved(material);
      const reading = new NeighbourReading(preparation, options, product, { reader, own, ownMean });
      const read = await Promise.all(calibration.map(({ view }) => reading.#read(view)));
      for (const offset of options.offsets) {
        report(`neighbour at ${offset > 0 ? "+" : ""}${offset}`);
        const pairs = new TokenPairs(documents, offset, engine.spec.vocabulary);
        const truth = read.flatMap((rows, prompt) =>
          rows.map(({ position }) => calibration[prompt].ids[position + offset] ?? -1),
        );
        const left = new Float32Array(truth.length * reader.width);
        read.flat().forEach((row, at) => left.set(row.left, at * reader.width));
        const seen = { left, own: read.flat().map((row) => row.own), truth };
        const probe = await NeighbourProbe.fit(product, training.walk, material, ownMean, pairs, seen);
        reading.#probes.set(offset, probe);
        if (offset === 1 && model.program.logits !== null)
          reading.#hasLens = await reading.#prefersLens(engine, probe, read.flat(), truth);
      }
      return reading;
    } catch (error) {
      await product.close();
      throw error;
    }
  }

  async recover(view: RecordedView, knowledge: Parameters<PreparedAttack["recover"]>[1]): Promise<Recovery> {
    const rows = await this.#read(view);
    const guesses = new Map<number, number[]>();
    const given = view.ids();
    for (const { position, features } of rows) {
      const id = given.get(position);
      guesses.set(position, id === undefined ? this.#own.rank(features, this.#guesses).ids : [id]);
    }
    const votes = new Map<number, Float64Array[]>();
    for (const row of rows)
      for (const offset of this.#probes.keys()) {
        const target = row.position + offset;
        if (target < 0 || target >= knowledge.description.promptLength || guesses.has(target)) continue;
        votes.set(target, [...(votes.get(target) ?? []), await this.#vote(knowledge.engine, offset, row, view)]);
      }
    for (const [target, said] of votes) guesses.set(target, this.#together(said));
    return recovery(guesses);
  }

  prior(view: RecordedView, knowledge: Parameters<PreparedAttack["prior"]>[1]): Promise<Recovery> {
    const given = view.ids();
    const guesses = new Map<number, number[]>();
    for (const [position, id] of given) guesses.set(position, [id]);
    const seen = positionsOf(view, this.#layer, "row");
    for (let target = 0; target < knowledge.description.promptLength; target++) {
      if (guesses.has(target)) continue;
      const isReached = seen.includes(target) || seen.some((position) => this.#probes.has(target - position));
      if (!isReached) continue;
      const said = [...this.#probes].flatMap(([offset, { pairs }]) => {
        const id = given.get(target - offset);
        return id === undefined ? [] : [pairs.given(id)];
      });
      guesses.set(target, this.#together(said));
    }
    return Promise.resolve(recovery(guesses));
  }

  close(): Promise<void> {
    return this.#product.close();
  }

  /** Rows of the view after position 0, whose row says nothing beyond its own token. */
  async #read(view: RecordedView): Promise<ReadRow[]> {
    const positions = positionsOf(view, this.#layer, "row").filter((position) => position > 0);
    const { width } = this.#reader;
    const rows = await rowsOf(view, this.#layer, this.#reader, positions);
    const given = view.ids();
    return positions.map((position, at) => {
      const features = rows.subarray(at * width, (at + 1) * width);
      const own = given.get(position) ?? this.#own.rank(features, 1).ids[0];
      return { position, features, own, left: this.#ownMean.of(features, [own]) };
    });
  }

  async #vote(engine: StageEngine, offset: number, row: ReadRow, view: RecordedView): Promise<Float64Array> {
    if (offset === 1 && this.#hasLens) {
      const raw = view.rows("row", this.#layer).get(row.position)!;
      return lens(this.#product, engine, raw);
    }
    return this.#probes.get(offset)!.logPosterior(this.#product, row.left, row.own);
  }

  /** Votes multiplied, with the frequency of tokens, which all of them hold, counted once. */
  #together(votes: readonly Float64Array[]): number[] {
    const [{ pairs }] = this.#probes.values();
    const logs = pairs.unigram.slice();
    for (const vote of votes) for (let id = 0; id < logs.length; id++) logs[id] += vote[id] - pairs.unigram[id];
    return best(logs, this.#guesses).ids;
  }

  async #prefersLens(
    engine: StageEngine,
    probe: NeighbourProbe,
    rows: readonly ReadRow[],
    truth: readonly number[],
  ): Promise<boolean> {
    let [byLens, byProbe] = [0, 0];
    for (const [at, row] of rows.entries()) {
      if (truth[at] < 0) continue;
      // The head's norm doesn't see a row's length, so the row's direction does as well as the row.
      byLens += (await lens(this.#product, engine, row.features))[truth[at]];
      byProbe += (await probe.logPosterior(this.#product, row.left, row.own))[truth[at]];
    }
    return byLens > byProbe;
  }
}

const recovery = (guesses: Map<number, number[]>): Recovery => ({
  guesses,
  certified: new Set(),
  forwardPasses: 0,
  figures: {},
});

/** Log probabilities of the next token by the model's own head, [vocabulary]. */
async function lens(
  product: Float64Product,
  engine: StageEngine,
  row: Float32Array | Float64Array,
): Promise<Float64Array> {
  const logs = await new LogitLens(engine).scoreAll(product, Float32Array.from(row));
  let most = -Infinity;
  for (const logit of logs) most = Math.max(most, logit);
  const total = most + Math.log(logs.reduce((sum, logit) => sum + Math.exp(logit - most), 0));
  return logs.map((logit) => logit - total);
}
