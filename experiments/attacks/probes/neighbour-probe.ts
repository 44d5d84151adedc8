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
    const kept = calibration.truth.flatMap((id, row) => (id < 0 ? [] : [row]));
    const fitWeight = async (given: boolean): Promise<number> => {
      const sums = ROW_WEIGHTS.map(() => 0);
      for (const row of kept) {
        const scores = await probe.scoreAll(product, rowOf(calibration.left, row, probe.width));
        const prior = given ? pairs.given(calibration.own[row]) : pairs.unigram;
        ROW_WEIGHTS.forEach((weight, at) => {
          sums[at] += normalized(scores, prior, weight)[calibration.truth[row]];
        });
      }
      return ROW_WEIGHTS[sums.indexOf(Math.max(...sums))];
    };
    return new NeighbourProbe(pairs, probe, { unigram: await fitWeight(false), pairs: await fitWeight(true) });
  }

  /** Log probabilities of the neighbour's tokens, [vocabulary], for one row after its own token's mean. `own`: null for the row alone. */
  async logPosterior(product: Float64Product, left: Float32Array, own: number | null): Promise<Float64Array> {
    const scores = await this.probe.scoreAll(product, left);
    return own === null
      ? normalized(scores, this.pairs.unigram, this.#weights.unigram)
      : normalized(scores, this.pairs.given(own), this.#weights.pairs);
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
    for (const [row, id] of truth.entries()) {
      if (id < 0) continue;
      const z = rowOf(left, row, this.probe.width);
      found.push({
        row,
        probe: rankOf(await this.logPosterior(product, z, null), id),
        probeAndPairs: rankOf(await this.logPosterior(product, z, own[row]), id),
        pairs: rankOf(this.pairs.given(trueOwn[row]), id),
        unigram: rankOf(this.pairs.unigram, id),
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

const rowOf = (rows: Float32Array, row: number, width: number): Float32Array =>
  rows.subarray(row * width, (row + 1) * width);

/** log softmax(weight · scores + prior) */
function normalized(scores: Float64Array, prior: Float64Array, weight: number): Float64Array {
  const logs = prior.map((log, id) => log + weight * scores[id]);
  let most = -Infinity;
  for (const log of logs) most = Math.max(most, log);
  let sum = 0;
  for (const log of logs) sum += Math.exp(log - most);
  const total = most + Math.log(sum);
  return logs.map((log) => log - total);
}
