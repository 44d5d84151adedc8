/**
 * Joint decoding of one window: all its tokens together, from the party's own rows behind them.
 *
 * Contexts are fills from the language model that are nearest to the rows; exact single swaps around them give an additive model, a beam
 * under it guesses of the whole window, which are run exactly, with moves around the best; the nearest of all are the next contexts. It
 * ends with a guess whose rows are the observed ones but for rounding.
 */
import type { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { whitening } from "../probes/whitening.ts";
import { measureEffects, residual, type AdditiveModel, type PlaceCandidates, type RunGuess } from "./additive-model.ts";
import { beamDecode, spreadOf, type PlaceSpread } from "./beam-decode.ts";
import { guessMoves } from "./guess-moves.ts";
import { narrowed } from "./narrow-candidates.ts";
import { meanSquares, robustMoments, secondMoments, standingOut } from "./row-covariance.ts";
import type { WindowForward } from "./window-forward.ts";

export interface DecodeOptions {
  /** Contexts of a round. */
  readonly contexts: number;
  readonly rounds: number;
  readonly beam: number;
  readonly priorWeight: number;
  /** Candidates of a place from the second round on. */
  readonly candidates: number;
  /** Guesses that moves are made around. */
  readonly moved: number;
}

export interface WindowTask {
  readonly forward: WindowForward;
  readonly product: Float64Product;
  /** Observed rows, [layers, places, d] of the forward's. */
  readonly observed: Float32Array;
  readonly candidates: readonly PlaceCandidates[];
  /** Whole windows from the language model: first contexts, and what interactions are measured on. */
  readonly fills: readonly (readonly number[])[];
  /** Relative error of the observed rows below which a guess is right. */
  readonly epsilon: number;
  /** The same below which it may be: a round that gains nothing is then the last. */
  readonly settled: number;
  /** Rounds with all candidates that gain nothing before the search gives up. */
  readonly patience: number;
  /** Passes that `forward` may have made in all. */
  readonly budget: number;
}

/** A guess that was run, and how far its rows are off, in units of what fills differ by. */
interface RankedGuess extends RunGuess {
  readonly distance: number;
  /** Largest over the observed rows of |difference| / |row|. */
  readonly error: number;
}

export interface WindowAnswer {
  /** Nearest first. */
  readonly ranked: readonly (readonly number[])[];
  readonly error: number;
  /** Are the rows farther from every guess than fills are from one another? */
  readonly isHopeless: boolean;
  readonly rounds: number;
  /** Each guess that was nearer than all before. */
  readonly trail: readonly { readonly tokens: readonly number[]; readonly distance: number; readonly passes: number }[];
  /** Share of the rows' variance over fills that the last additive model left, by the bulk of the fills. */
  readonly interactions: number;
}

/** Guesses that are kept with their rows. */
const MOST_KEPT = 512;
const RANKED = 5;
/** Nearer guesses that each one is crossed with. */
const CROSSED = 8;
/** A round that leaves more than this share of the distance hasn't gained. */
const GAIN = 0.9;
/** Two fills are about 1.4 apart: rows that a round leaves so far from every guess are of no window after what is known. */
const HOPELESS = 1;

export async function decodeWindow(task: WindowTask, options: DecodeOptions): Promise<WindowAnswer> {
  return new WindowDecoding(task, options).run();
}

class WindowDecoding {
  readonly #task: WindowTask;
  readonly #options: DecodeOptions;
  readonly #seen = new Set<string>();
  readonly #used = new Set<string>();
  readonly #trail: { tokens: readonly number[]; distance: number; passes: number }[] = [];
  #kept: RankedGuess[] = [];
  /** Rows to units of what fills differ by, [width, width]; and the variance of fills. */
  #units: Float64Array | null = null;
  #interactions = 1;

  constructor(task: WindowTask, options: DecodeOptions) {
    this.#task = task;
    this.#options = options;
  }

  async run(): Promise<WindowAnswer> {
    const { forward, product, fills, observed, budget, patience } = this.#task;
    const { width } = forward;
    const rows = await forward.rows(fills);
    const about = Float64Array.from(rows, (value, at) => value - observed[at % width]);
    const spread = await secondMoments(product, centred(about, width), width);
    this.#units = whitening(spread, width);
    const sample = fills.map((tokens, at) => ({ tokens, rows: rows.subarray(at * width, (at + 1) * width) }));
    await this.#rank(sample);
    const all = this.#task.candidates;
    let [candidates, round, before, idle, isHopeless] = [all, 0, Infinity, 0, false];
    while (!this.#isRight && round < this.#options.rounds && idle < patience && forward.passes < budget) {
      const model = await this.#model(candidates);
      round++;
      if (this.#isRight) break;
      const residuals = new Float64Array(fills.length * width);
      sample.forEach((guess, at) => residuals.set(residual(model, guess), at * width));
      const interactions = await robustMoments(product, residuals, width);
      this.#interactions = trace(interactions, width) / trace(spread, width);
      const spreads: PlaceSpread[] = [];
      for (const place of model.places) spreads.push(await spreadOf(product, place));
      const covariances = spreads.map(({ covariance }) => covariance);
      const noise = standingOut(interactions, covariances, width);
      const target = Float64Array.from(observed);
      const guesses = await beamDecode(product, model, spreads, noise, target, this.#options);
      await this.#runAll(guesses);
      await this.#move();
      if (this.#isRight) break;
      // Few candidates as long as they gain; where they don't, the right one may be among the others.
      const { distance } = this.#kept[0];
      const gains = distance < GAIN * before;
      isHopeless = distance > HOPELESS;
      if (isHopeless || (!gains && this.#kept[0].error <= this.#task.settled)) break;
      if (candidates === all && round > 1) idle = gains ? 0 : idle + 1;
      before = distance;
      candidates =
        gains && candidates === all
          ? await narrowed(product, model, spreads, noise, target, this.#options.candidates, this.#named())
          : gains
            ? candidates
            : all;
    }
    // What fits may still be one of several that rounding can't tell apart: the nearest of its neighbours.
    if (this.#isRight) await this.#move(true);
    const [best] = this.#kept;
    return {
      ranked: this.#kept.slice(0, RANKED).map(({ tokens }) => tokens),
      error: best.error,
      isHopeless,
      rounds: round,
      trail: this.#trail,
      interactions: this.#interactions,
    };
  }

  get #isRight(): boolean {
    return this.#kept[0].error <= this.#task.epsilon;
  }

  /** Effects around the nearest guesses that weren't contexts yet. */
  async #model(candidates: readonly PlaceCandidates[]): Promise<AdditiveModel> {
    const { forward } = this.#task;
    const { width } = forward;
    const keyOf = (tokens: readonly number[]): string => `${candidates === this.#task.candidates} ${tokens.join(" ")}`;
    const fresh = this.#kept.filter(({ tokens }) => !this.#used.has(keyOf(tokens)));
    // All candidates a second time: what the nearest guess lacks is one token that was left out.
    const count = this.#used.size > 0 && candidates === this.#task.candidates ? 1 : this.#options.contexts;
    const contexts = (fresh.length === 0 ? this.#kept : fresh).slice(0, count).map(({ tokens }) => tokens);
    for (const context of contexts) this.#used.add(keyOf(context));
    const found: RunGuess[] = [];
    const model = await measureEffects(forward, contexts, candidates, (context, place, rows) => {
      // Of each place's swaps the nearest by plain distance: the exact ones decide themselves.
      let [best, least] = [0, Infinity];
      const { observed } = this.#task;
      for (let token = 0, at = 0; token * width < rows.length; token++) {
        let sum = 0;
        for (let i = 0; i < width; i++, at++) sum += (rows[at] - observed[i]) ** 2;
        if (sum < least) [best, least] = [token, sum];
      }
      found.push({
        tokens: context.with(place, candidates[place].tokens[best]),
        rows: rows.slice(best * width, (best + 1) * width),
      });
    });
    await this.#rank(found);
    return model;
  }

  /** Moves around the nearest guesses, as long as they gain. */
  async #move(always = false): Promise<void> {
    const places = this.#task.candidates.flatMap(({ tokens }, place) => (tokens.length > 1 ? [place] : []));
    let distance = Infinity;
    while (this.#kept[0].distance < distance) {
      if (this.#isRight && !always) return;
      distance = this.#kept[0].distance;
      const around = this.#kept.slice(0, this.#options.moved).map(({ tokens }) => tokens);
      const moves = around.flatMap((guess, at) => [
        ...guessMoves(guess, around.slice(0, Math.min(at, CROSSED)), places),
      ]);
      await this.#runAll(moves);
    }
  }

  async #runAll(guesses: readonly (readonly number[])[]): Promise<void> {
    const { forward } = this.#task;
    const fresh = new Map<string, readonly number[]>();
    for (const guess of guesses) {
      const key = guess.join(" ");
      if (!this.#seen.has(key)) fresh.set(key, guess);
    }
    const list = [...fresh.values()];
    const rows = await forward.rows(list);
    await this.#rank(
      list.map((tokens, at) => ({ tokens, rows: rows.subarray(at * forward.width, (at + 1) * forward.width) })),
    );
  }

  async #rank(guesses: readonly RunGuess[]): Promise<void> {
    const { forward, product, observed } = this.#task;
    const { width } = forward;
    const fresh = guesses.filter(({ tokens }) => {
      const key = tokens.join(" ");
      const isNew = !this.#seen.has(key);
      this.#seen.add(key);
      return isNew;
    });
    if (fresh.length === 0) return;
    const off = new Float64Array(fresh.length * width);
    fresh.forEach(({ rows }, at) => {
      for (let i = 0; i < width; i++) off[at * width + i] = rows[i] - observed[i];
    });
    const right = { data: this.#units!, shape: [width, width], transposed: false } as const;
    const distances = meanSquares(await product.times(off, width, right), width);
    const before = this.#kept[0]?.distance ?? Infinity;
    const ranked = fresh.map(({ tokens, rows }, at) => ({
      tokens,
      rows: rows.slice(),
      distance: Math.sqrt(distances[at]),
      error: relativeError(rows, observed, forward.rowWidth),
    }));
    this.#kept = [...this.#kept, ...ranked].sort((a, b) => a.distance - b.distance).slice(0, MOST_KEPT);
    const [{ tokens, distance }] = this.#kept;
    if (distance < before) this.#trail.push({ tokens, distance, passes: forward.passes });
  }

  /** By place, tokens that near guesses have. */
  #named(): ReadonlySet<number>[] {
    return this.#task.candidates.map((_, place) => new Set(this.#kept.map(({ tokens }) => tokens[place])));
  }
}

/** Largest over rows of width d of |a - b| / |b|. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>, d: number): number {
  let largest = 0;
  for (let from = 0; from < b.length; from += d) {
    let [off, size] = [0, 0];
    for (let i = from; i < from + d; i++) {
      off += (a[i] - b[i]) ** 2;
      size += b[i] ** 2;
    }
    largest = Math.max(largest, Math.sqrt(off / size));
  }
  return largest;
}

function centred(rows: Float64Array, width: number): Float64Array {
  const mean = new Float64Array(width);
  const count = rows.length / width;
  rows.forEach((value, at) => (mean[at % width] += value / count));
  return rows.map((value, at) => value - mean[at % width]);
}

function trace(matrix: Float64Array, width: number): number {
  let sum = 0;
  for (let i = 0; i < width; i++) sum += matrix[i * (width + 1)];
  return sum;
}
