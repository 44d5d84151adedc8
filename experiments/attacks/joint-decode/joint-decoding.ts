/** One prompt in the making: windows decoded one after the other, each proven one known to the next. */
import type { Float64Product } from "../../../layers/onnx/float64-product.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import type { AttackBudget, Recovery } from "../../lab/attack.ts";
import { PrefixForward } from "../matching/prefix-forward.ts";
import { interleave, orderByLogits } from "../matching/proposals.ts";
import type { Ranking } from "../probes/linear-probe.ts";
import type { PlaceCandidates } from "./additive-model.ts";
import { decodeWindow, relativeError, type DecodeOptions } from "./decode-window.ts";
import { ownWindows, type OwnWindow } from "./own-windows.ts";
import type { OwnRows } from "./own-rows.ts";
import type { WindowThresholds } from "./window-certificate.ts";
import { windowFills } from "./window-fills.ts";
import { WindowForward } from "./window-forward.ts";

export interface JointDecodingOptions extends DecodeOptions {
  readonly ownCandidates: number;
  readonly ownRows: number;
  readonly moreLayers: number;
  readonly fills: number;
  readonly vocabulary: number;
  readonly attempts: number;
}

export interface JointDecodingTask {
  readonly engine: StageEngine;
  readonly product: Float64Product;
  /** Logits of a document's first token. */
  readonly opening: ArrayLike<number>;
  /** Tokens of an own position, best first. */
  readonly rank: (position: number) => Promise<Ranking>;
  readonly thresholds: WindowThresholds;
  readonly own: OwnRows;
  readonly options: JointDecodingOptions;
  readonly budget: AttackBudget;
  readonly report: (doing: string) => void;
}

/** Share of a place's prior that is the same for all tokens: text may be anything. */
const UNIFORM = 0.1;
/** A probe's log odds, taken for so much: its scores are surer than they are right. */
const PROBE_WEIGHT = 0.5;
/** Passes a window at which the share of hidden tokens that are proven is reported. */
const MARKS = [10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000] as const;

/** How many times as many candidates a further attempt has. */
const WIDER = 4;
/** Rounds with all candidates that gain nothing before the search gives up; one, where there are more candidates to come. */
const PATIENCE = 3;

/** Candidates of a single row's first batch; later ones double. Guesses that are named. */
const [FIRST_BATCH, LISTED] = [64, 5];

/** What a window came to. */
interface DecodedWindow {
  readonly tokens: readonly number[];
  /** By place, best first. */
  readonly listed: readonly (readonly number[])[];
  readonly certified: boolean;
  readonly error: number;
  /** Came no guess near the rows? */
  readonly isHopeless: boolean;
  readonly rounds: number;
  readonly interactions: number;
}

export class JointDecoding {
  readonly #task: JointDecodingTask;
  readonly #search: WindowForward;
  readonly #proof: WindowForward;
  readonly #model: PrefixForward;

  constructor(task: JointDecodingTask) {
    const { engine, own, options } = task;
    this.#task = task;
    this.#search = new WindowForward(engine, own.layers.slice(0, 1 + options.moreLayers), own.kind);
    this.#proof = new WindowForward(engine, own.layers, own.kind);
    this.#model = new PrefixForward(engine);
  }

  get #passes(): number {
    return this.#search.passes + this.#proof.passes + this.#model.passes;
  }

  async run(promptLength: number): Promise<Recovery> {
    const { own, options, budget, report } = this.#task;
    const windows = ownWindows(own.positions, options.ownRows);
    const guesses = new Map<number, readonly number[]>();
    const certified = new Set<number>();
    const within = MARKS.map(() => 0);
    let [hidden, read, gaps, gapsRead, rounds, interactions, rightMost] = [0, 0, 0, 0, 0, 0, 0];
    let isLost = false;
    for (const [at, window] of windows.entries()) {
      report(`window ${at + 1} of ${windows.length}, ${window.end - window.start - window.own.length} hidden tokens`);
      const before = this.#passes;
      const share = (budget.forwardPasses - before) / (windows.length - at);
      const isSingle = window.end - window.start === 1;
      const decoded: DecodedWindow = isSingle
        ? await this.#single(window)
        : await this.#window(window, before + share, isLost);
      // Later rows depend on these tokens too: what isn't known here isn't found there.
      isLost ||= decoded.isHopeless;
      decoded.listed.forEach((tokens, place) => guesses.set(window.start + place, tokens));
      if (decoded.certified) {
        for (let position = window.start; position < window.end; position++) certified.add(position);
        rightMost = Math.max(rightMost, decoded.error);
      }
      const unseen = window.end - window.start - window.own.length;
      if (unseen > 0) {
        gaps++;
        hidden += unseen;
        rounds += decoded.rounds;
        interactions += decoded.interactions;
        if (decoded.certified) {
          gapsRead++;
          read += unseen;
          const spent = this.#passes - before;
          MARKS.forEach((mark, index) => (within[index] += spent <= mark ? unseen : 0));
        }
      }
      for (const forward of [this.#search, this.#proof]) await forward.extend(decoded.tokens);
      await this.#model.extend(decoded.tokens);
    }
    const seenEnd = windows.at(-1)?.end ?? 0;
    for (const [at, token] of (await this.#continued(promptLength - seenEnd)).entries())
      guesses.set(seenEnd + at, [token]);
    const { search, proof } = this.#task.thresholds;
    return {
      guesses,
      certified,
      forwardPasses: this.#passes,
      figures: {
        windows: gaps,
        certifiedWindows: gapsRead,
        hiddenSeen: hidden,
        hiddenCertified: read,
        ...Object.fromEntries(MARKS.map((mark, index) => [`hiddenCertifiedWithin${mark}`, within[index]])),
        rounds: gaps === 0 ? 0 : rounds / gaps,
        interactions: gaps === 0 ? 0 : interactions / gaps,
        largestError: rightMost,
        calibrationRight: proof.right,
        calibrationWrong: proof.wrong,
        searchEpsilon: search.epsilon,
      },
    };
  }

  /**
   * Decodes a window after what is known, and proves it. `until`: passes that may have been made in all. `isLost`: what goes before is
   * known to be wrong, so that the nearest fill is named, and no more.
   */
  async #window(window: OwnWindow, until: number, isLost: boolean): Promise<DecodedWindow> {
    const { own, options, budget, thresholds, product } = this.#task;
    const places = window.own.map((position) => position - window.start);
    this.#search.watch(places);
    this.#proof.watch(places);
    const searched = own.at(this.#search.layers, window.own);
    const proving = own.at(own.layers, window.own);
    const named: (PlaceCandidates | null)[] = [];
    for (let position = window.start; position < window.end; position++)
      named.push(window.own.includes(position) ? await this.#named(position) : null);
    let best: DecodedWindow | null = null;
    let nearest: readonly (readonly number[])[] = [];
    for (let attempt = 0, isOver = false; attempt < options.attempts && !isOver; attempt++) {
      const known = named.map((each) => (each === null ? null : each.tokens[0]));
      const { fills, prior } = await windowFills(this.#model, known, this.#task.opening, {
        count: options.fills,
        seed: budget.seed * 1000 + window.start + attempt * 7919,
      });
      // What the likeliest tokens don't explain holds one that is rarer: the others are then known, and all tokens are tried beside them.
      const most = options.vocabulary * WIDER ** attempt;
      const isWhole = most >= prior[0].length;
      const candidates = named.map((each, place) => each ?? likeliest(prior[place], most));
      const answer = await decodeWindow(
        {
          forward: this.#search,
          product,
          observed: searched,
          candidates,
          fills: [...nearest, ...fills],
          patience: isWhole ? PATIENCE : 1,
          epsilon: thresholds.search.epsilon,
          settled: thresholds.proof.epsilon,
          budget: until - (this.#passes - this.#search.passes),
        },
        isLost ? { ...options, rounds: 0 } : options,
      );
      nearest = isWhole ? [] : answer.ranked;
      isOver = isLost || (answer.isHopeless && isWhole) || this.#passes >= until;
      const rows = await this.#proof.rows(answer.ranked);
      const errors = answer.ranked.map((_, at) =>
        relativeError(
          rows.subarray(at * this.#proof.width, (at + 1) * this.#proof.width),
          proving,
          this.#proof.rowWidth,
        ),
      );
      const least = errors.indexOf(Math.min(...errors));
      const tokens = answer.ranked[least];
      if (best !== null && best.error <= errors[least]) continue;
      best = {
        tokens,
        listed: tokens.map((token, place) => [...new Set([token, ...answer.ranked.map((guess) => guess[place])])]),
        certified: errors[least] <= thresholds.proof.epsilon,
        error: errors[least],
        isHopeless: answer.isHopeless,
        rounds: answer.rounds,
        interactions: answer.interactions,
      };
      isOver ||= best.certified;
    }
    return best!;
  }

  /** An own row with nothing hidden before it: vocabulary matching, in the order of the probe and of the model. */
  async #single({ start }: OwnWindow): Promise<DecodedWindow> {
    const { own, thresholds, opening } = this.#task;
    this.#search.watch([0]);
    this.#proof.watch([0]);
    const observed = own.at(this.#search.layers, [start]);
    const logits = this.#model.length === 0 ? opening : this.#model.nextLogits();
    const order = [...interleave((await this.#named(start)).tokens, orderByLogits(logits))];
    const tried: { token: number; error: number }[] = [];
    for (let from = 0, size = FIRST_BATCH; from < order.length; from += size, size *= 2) {
      const tokens = order.slice(from, from + size);
      const rows = await this.#search.rows(tokens.map((token) => [token]));
      const { width } = this.#search;
      tokens.forEach((token, at) => {
        const row = rows.subarray(at * width, (at + 1) * width);
        tried.push({ token, error: relativeError(row, observed, this.#search.rowWidth) });
      });
      tried.sort((a, b) => a.error - b.error);
      tried.length = Math.min(tried.length, LISTED);
      if (tried[0].error <= thresholds.search.epsilon) break;
    }
    const [{ token }] = tried;
    const error = relativeError(await this.#proof.rows([[token]]), own.at(own.layers, [start]), this.#proof.rowWidth);
    return {
      tokens: [token],
      listed: [tried.map((each) => each.token)],
      certified: error <= thresholds.proof.epsilon,
      error,
      isHopeless: false,
      rounds: 0,
      interactions: 0,
    };
  }

  /** Tokens that the probe names for an own row. */
  async #named(position: number): Promise<PlaceCandidates> {
    const { ids, scores } = await this.#task.rank(position);
    const odds = scores.map((score) => Math.exp(PROBE_WEIGHT * (score - scores[0])));
    const total = odds.reduce((a, b) => a + b, 0);
    return {
      tokens: ids,
      prior: Float64Array.from(odds, (value) => (1 - UNIFORM) * (value / total) + UNIFORM / ids.length),
    };
  }

  /** The model's own greedy continuation, for what no own row sees. */
  async #continued(count: number): Promise<number[]> {
    const tokens: number[] = [];
    for (let at = 0; at < count; at++) {
      const logits = this.#model.length === 0 ? this.#task.opening : this.#model.nextLogits();
      let token = 0;
      for (let id = 1; id < logits.length; id++) if (logits[id] > logits[token]) token = id;
      tokens.push(token);
      await this.#model.extend([token]);
    }
    return tokens;
  }
}

/** The `most` likeliest tokens of a place, with a share that is the same for all. */
function likeliest(probabilities: Float64Array, most: number): PlaceCandidates {
  const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]).slice(0, most);
  const total = order.reduce((sum, id) => sum + probabilities[id], 0);
  return {
    tokens: order,
    prior: Float64Array.from(order, (id) => ((1 - UNIFORM) * probabilities[id]) / total + UNIFORM / order.length),
  };
}
