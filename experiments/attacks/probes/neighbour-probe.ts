/**
 * What a row says of a token at another position: class means with pooled covariance on what is left of the row after its own token's
 * mean row, put together with how often the two tokens stand so in public text.
 */
import type { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { ClassMeans } from "./class-means.ts";
import { ClassStatistics } from "./class-statistics.ts";
import type { LayerWalk } from "./layer-walk.ts";
import type { ProbeMaterial } from "./probe-training.ts";
import { rankOf } from "./truth-ranks.ts";
import type { TokenPairs } from "./token-pairs.ts";
import type { RowProbe } from "./row-probe.ts";
import { scoredRows } from "./scored-rows.ts";

/** Rows that the reference row of an own token is worth against its mean. */
const REFERENCE_ROWS = 4;

/** What is left of rows after the mean row of their own token. */
export class OwnMeanRemoved {
  readonly #material: ProbeMaterial;
  /** Mean difference of means and references over tokens with data, [width]. */
  readonly #shift: Float64Array;

  constructor(material: ProbeMaterial) {
    this.#material = material;
    const { statistics, references } = material;
    const { width, seen } = statistics;
    this.#shift = new Float64Array(width);
    for (const c of seen)
      for (let i = 0; i < width; i++)
        this.#shift[i] += (statistics.sums[c]![i] / statistics.counts[c] - references[c * width + i]) / seen.length;
  }

  /** rows [rows, width] of the tokens `own` -> [rows, width] */
  of(rows: Float32Array, own: readonly number[]): Float32Array {
    const { statistics, references } = this.#material;
    const { width, counts, sums } = statistics;
    const left = Float32Array.from(rows);
    own.forEach((id, row) => {
      const sum = sums[id];
      for (let i = 0; i < width; i++) {
        const reference = references[id * width + i] + this.#shift[i];
        left[row * width + i] -= ((sum?.[i] ?? 0) + REFERENCE_ROWS * reference) / (counts[id] + REFERENCE_ROWS);
      }
    });
    return left;
  }
}

/** Rows after their own token's mean, the token that each is held to be of, and the true neighbours (negative: outside the text). */
export interface NeighbourRows {
  readonly left: Float32Array;
  readonly own: readonly number[];
  readonly truth: readonly number[];
}

/** Weights of the row against the counts that are tried: a row's features aren't as independent as the model of class means has it. */
const ROW_WEIGHTS = [0, 0.01, 0.03, 0.1, 0.2, 0.4, 0.7, 1];

export class NeighbourProbe {
  readonly pairs: TokenPairs;
  readonly probe: RowProbe;
  /** Weights of the row with unigram and with pair counts. */
  readonly #weights: { readonly unigram: number; readonly pairs: number };

  private constructor(pairs: TokenPairs, probe: RowProbe, weights: { unigram: number; pairs: number }) {
    this.pairs = pairs;
    this.probe = probe;
    this.#weights = weights;
  }

  /** Learns from the rows that `walk` stands at (of layer `material.layer`), which it leaves as they are; weights from `calibration`. */
  static async fit(
    product: Float64Product,
    walk: LayerWalk,
    material: ProbeMaterial,
    ownMean: OwnMeanRemoved,
    pairs: TokenPairs,
    calibration: NeighbourRows,
  ): Promise<NeighbourProbe> {
    if (walk.layer !== material.layer)
      throw new RangeError(`neighbour probe: expected rows of layer ${material.layer}, got ${walk.layer}`);
    const statistics = new ClassStatistics(material.reader.width, pairs.unigram.length);
    await walk.look(async (batch) => {
      const left = ownMean.of(await material.reader.read(batch), batch.ids);
      const labels = neighboursOf(batch.ids, batch.positions, pairs.offset);
      await statistics.add(
        product,
        left,
        labels.map((label, row) => (batch.positions[row] === 0 ? -1 : label)),
      );
    });
    const probe = (await ClassMeans.fit(product, statistics, null)).probe({ priorRows: null, frequencyWeight: 0 });
    const sums = { unigram: ROW_WEIGHTS.map(() => 0), pairs: ROW_WEIGHTS.map(() => 0) };
    for await (const { row, scores } of scoredRows(
      product,
      probe,
      calibration.left,
      withNeighbour(calibration.truth),
    )) {
      const priors = { unigram: pairs.unigram, pairs: pairs.given(calibration.own[row]) };
      for (const way of ["unigram", "pairs"] as const)
        ROW_WEIGHTS.forEach((weight, at) => {
          const id = calibration.truth[row];
          sums[way][at] += weight * scores[id] + priors[way][id] - logTotal(scores, priors[way], weight);
        });
    }
    const best = (way: "unigram" | "pairs"): number => ROW_WEIGHTS[sums[way].indexOf(Math.max(...sums[way]))];
    return new NeighbourProbe(pairs, probe, { unigram: best("unigram"), pairs: best("pairs") });
  }

  /** Log probabilities of the neighbour's tokens, [vocabulary], for one row after its own token's mean. */
  async logPosterior(product: Float64Product, left: Float32Array, own: number): Promise<Float64Array> {
    const scores = await this.probe.scoreAll(product, left);
    const prior = this.pairs.given(own);
    const weight = this.#weights.pairs;
    const total = logTotal(scores, prior, weight);
    return prior.map((log, id) => log + weight * scores[id] - total);
  }

  /**
   * Ranks of the true neighbours by the row alone, by the row with pair counts, by pair counts and by the unigram; rows without a
   * neighbour are left out. The counts alone are given the true own tokens, `trueOwn`: a baseline that no error of a probe weakens.
   */
  async ranks(
    product: Float64Product,
    { left, own, truth }: NeighbourRows,
    trueOwn: readonly number[],
  ): Promise<NeighbourRanks[]> {
    const found: NeighbourRanks[] = [];
    const { unigram } = this.pairs;
    for await (const { row, scores } of scoredRows(product, this.probe, left, withNeighbour(truth))) {
      const weighed = (prior: Float64Array, weight: number): number =>
        rankOf(
          prior.map((log, id) => log + weight * scores[id]),
          truth[row],
        );
      found.push({
        row,
        probe: weighed(unigram, this.#weights.unigram),
        probeAndPairs: weighed(this.pairs.given(own[row]), this.#weights.pairs),
        pairs: rankOf(this.pairs.given(trueOwn[row]), truth[row]),
        unigram: rankOf(unigram, truth[row]),
      });
    }
    return found;
  }
}

export interface NeighbourRanks {
  readonly row: number;
  readonly probe: number;
  readonly probeAndPairs: number;
  readonly pairs: number;
  readonly unigram: number;
}

/** The token `offset` further on in the same text, -1 where there is none; texts are told apart by position 0. */
export function neighboursOf(ids: readonly number[], positions: readonly number[], offset: number): number[] {
  return ids.map((_, row) => {
    const other = row + offset;
    return positions[other] === positions[row] + offset ? ids[other] : -1;
  });
}

const withNeighbour = (truth: readonly number[]): number[] => truth.flatMap((id, row) => (id < 0 ? [] : [row]));

/** log Σ exp(prior + weight · scores) */
function logTotal(scores: Float64Array, prior: Float64Array, weight: number): number {
  let most = -Infinity;
  for (let id = 0; id < prior.length; id++) most = Math.max(most, prior[id] + weight * scores[id]);
  let sum = 0;
  for (let id = 0; id < prior.length; id++) sum += Math.exp(prior[id] + weight * scores[id] - most);
  return most + Math.log(sum);
}
