/**
 * Windows that explain observed rows under an additive model, by a beam over places, the strongest first.
 *
 * With some places decided, what is left of the rows is normal: around the sum of the undecided places' mean effects, with their
 * covariances and that of the interactions. A candidate's score is the log density of what it leaves, and its prior's logarithm.
 */
import type { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { whitening } from "../probes/whitening.ts";
import type { AdditiveModel, PlaceEffects } from "./additive-model.ts";

export interface BeamOptions {
  /** Guesses kept after each place. */
  readonly beam: number;
  /** Factor on log prior. */
  readonly priorWeight: number;
}

/** Mean and covariance of a place's effects under its prior. */
export interface PlaceSpread {
  /** [width] */
  readonly mean: Float64Array;
  /** [width, width] */
  readonly covariance: Float64Array;
}

/** Mean and covariance of effects under the prior. */
export async function spreadOf(product: Float64Product, { effects, prior }: PlaceEffects): Promise<PlaceSpread> {
  const tokens = prior.length;
  const width = effects.length / tokens;
  const mean = new Float64Array(width);
  for (let token = 0, at = 0; token < tokens; token++)
    for (let i = 0; i < width; i++, at++) mean[i] += prior[token] * effects[at];
  const turned = new Float64Array(width * tokens);
  for (let token = 0; token < tokens; token++) {
    const root = Math.sqrt(prior[token]);
    for (let i = 0; i < width; i++) turned[i * tokens + token] = root * (effects[token * width + i] - mean[i]);
  }
  const covariance = await product.times(turned, tokens, { data: turned, shape: [width, tokens], transposed: true });
  return { mean, covariance };
}

/** The beam's windows, best first. `noise` [width, width]: covariance of interactions, positive definite. */
export async function beamDecode(
  product: Float64Product,
  model: AdditiveModel,
  spreads: readonly PlaceSpread[],
  noise: Float64Array,
  observed: Float64Array,
  { beam, priorWeight }: BeamOptions,
): Promise<number[][]> {
  const width = observed.length;
  const order = await strongestFirst(product, spreads, noise, width);
  const start = Float64Array.from(observed, (value, i) => value - model.base[i]);
  let kept: { readonly tokens: readonly number[]; readonly left: Float64Array; readonly prior: number }[] = [
    { tokens: model.places.map(() => -1), left: start, prior: 0 },
  ];
  for (const [step, place] of order.entries()) {
    const covariance = noise.slice();
    const mean = new Float64Array(width);
    for (const other of order.slice(step + 1)) {
      for (let i = 0; i < covariance.length; i++) covariance[i] += spreads[other].covariance[i];
      for (let i = 0; i < width; i++) mean[i] += spreads[other].mean[i];
    }
    const right = { data: whitening(covariance, width), shape: [width, width], transposed: false } as const;
    const { tokens, prior, effects } = model.places[place];
    const moved = await product.times(Float64Array.from(effects), width, right);
    const lefts = new Float64Array(kept.length * width);
    kept.forEach(({ left }, at) => {
      for (let i = 0; i < width; i++) lefts[at * width + i] = left[i] - mean[i];
    });
    const white = await product.times(lefts, width, right);
    const dots = await product.times(white, width, { data: moved, shape: [tokens.length, width], transposed: true });
    const squares = Float64Array.from(tokens, (_, token) => squareOf(moved, token, width));
    const best = new Best(beam);
    kept.forEach(({ prior: before }, guess) => {
      const own = squareOf(white, guess, width);
      for (let token = 0; token < tokens.length; token++) {
        const density = -(own - 2 * dots[guess * tokens.length + token] + squares[token]) / 2;
        best.offer(density + before + priorWeight * Math.log(prior[token]), guess * tokens.length + token);
      }
    });
    kept = best.items().map((index) => {
      const from = kept[Math.floor(index / tokens.length)];
      const token = index % tokens.length;
      const left = from.left.slice();
      for (let i = 0, at = token * width; i < width; i++, at++) left[i] -= effects[at];
      return {
        tokens: from.tokens.with(place, tokens[token]),
        left,
        prior: from.prior + priorWeight * Math.log(prior[token]),
      };
    });
  }
  return kept.map(({ tokens }) => [...tokens]);
}

/** Places by how much their effects stand out over interactions and all others: the trace of their covariance in these units. */
async function strongestFirst(
  product: Float64Product,
  spreads: readonly PlaceSpread[],
  noise: Float64Array,
  width: number,
): Promise<number[]> {
  const all = noise.slice();
  for (const { covariance } of spreads) for (let i = 0; i < all.length; i++) all[i] += covariance[i];
  const t = whitening(all, width);
  const precision = await product.times(t, width, { data: t, shape: [width, width], transposed: true });
  const strengths = spreads.map(({ covariance }) =>
    covariance.reduce((sum, value, i) => sum + precision[i] * value, 0),
  );
  return [...spreads.keys()].sort((a, b) => strengths[b] - strengths[a]);
}

function squareOf(data: Float64Array, row: number, width: number): number {
  let sum = 0;
  for (let at = row * width; at < (row + 1) * width; at++) sum += data[at] * data[at];
  return sum;
}

/** The `size` items of the largest scores. */
class Best {
  readonly #size: number;
  readonly #scores: number[] = [];
  readonly #items: number[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  offer(score: number, item: number): void {
    const { length } = this.#scores;
    if (length === this.#size && !(score > this.#scores[0])) return;
    if (length === this.#size) {
      this.#scores[0] = score;
      this.#items[0] = item;
      this.#sink(0);
      return;
    }
    this.#scores.push(score);
    this.#items.push(item);
    for (let at = length; at > 0;) {
      const parent = (at - 1) >> 1;
      if (this.#scores[parent] <= this.#scores[at]) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** Best first. */
  items(): number[] {
    const order = [...this.#items.keys()].sort((a, b) => this.#scores[b] - this.#scores[a]);
    return order.map((at) => this.#items[at]);
  }

  #sink(from: number): void {
    for (let at = from; ;) {
      const left = 2 * at + 1;
      let least = at;
      if (left < this.#scores.length && this.#scores[left] < this.#scores[least]) least = left;
      if (left + 1 < this.#scores.length && this.#scores[left + 1] < this.#scores[least]) least = left + 1;
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #swap(a: number, b: number): void {
    [this.#scores[a], this.#scores[b]] = [this.#scores[b], this.#scores[a]];
    [this.#items[a], this.#items[b]] = [this.#items[b], this.#items[a]];
  }
}
