/**
 * Which tokens, one a position, make some observed sums over keys? Each row and head gives headDim exact linear equations
 *   Σ_s w_s (v_s - mean) = 0,  w_s = exp(scale q·k_s - top),
 * and, where the mass is seen, Σ_s w_s = mass; the pairs (w, v) of every token at every position are public. One token a position is a
 * sparse superposition code: decoded by soft interference cancellation (each position in turn weighs all tokens against what the others'
 * present beliefs leave, with the beliefs' variance as noise), then by hard coordinate descent at the noise of the words.
 * Reference: Barron and Joseph, arXiv 1207.2406 (the code); Wang and Poor, IEEE Trans. Commun. 47 (1999) (soft cancellation).
 */
import type { CandidateKeys, KeyPage, RowWord } from "./candidate-keys.ts";
import type { MixedRow } from "./mixed-rows.ts";
import { rowLogits, valueHeadOf } from "./row-logits.ts";
import { searchShortlist } from "./shortlist-search.ts";
import { addSpacePriors } from "./space-priors.ts";

/**
 * Noise: of a mean, as a share of the values' size; of a logit, absolute (a weight's relative error); of `top`, as a share of its size.
 * Units in the last place (2^-24, 2^-11) times what sums of tens of terms make of them.
 */
const NOISE: Readonly<Record<RowWord, { readonly mean: number; readonly logit: number; readonly top: number }>> = {
  float32: { mean: 3e-7, logit: 2e-6, top: 2 ** -23 },
  float16: { mean: 4e-4, logit: 1e-3, top: 2 ** -11 },
};

/** Where masses aren't seen: the weight of an unknown key to begin with. */
const MEAN_WEIGHT = 0.5;

/** Tokens a position among which choices are searched, and of all positions together; beginnings of the search. */
const [SHORTLIST, SHORTLIST_COLUMNS, SEARCH_STARTS] = [16, 256, 200];

/** Beliefs below this probability add nothing to means and variances. */
const LEAST_BELIEF = 1e-12;
/** A position is settled when its best token has all but this. */
const SETTLED = 1e-9;

export interface WindowOptions {
  /** Rounds of soft cancellation at most. */
  readonly iterations: number;
  /** Tokens a position that go on after a first look at the whole vocabulary. */
  readonly candidates: number;
  /** A row fits when its residual is at most this many times its noise. */
  readonly fit: number;
  /** Nats by which the best token must beat every other. */
  readonly margin: number;
  /** Further attempts from other beginnings where the first doesn't fit. */
  readonly restarts: number;
}

/** What is decoded, and what it is decoded against. */
export interface WindowProblem {
  readonly keys: CandidateKeys;
  readonly word: RowWord;
  /** Rows that see at least one of the positions. */
  readonly rows: readonly MixedRow[];
  readonly positions: readonly number[];
  /** Tokens of all other positions that the rows see. */
  readonly known: ReadonlyMap<number, number>;
  /** [vocabulary] */
  readonly logPrior: Float64Array;
}

export interface WindowResult {
  /** Position -> tokens, best first, at most five. */
  readonly guesses: ReadonlyMap<number, readonly number[]>;
  /** Positions whose every row fits to rounding, and that no other token fits. */
  readonly certified: ReadonlySet<number>;
  /** Largest residual of a row in units of its noise. */
  readonly residual: number;
}

/** What is believed of one position. */
interface Belief {
  readonly page: KeyPage;
  /** w of every token, by row; null where the row doesn't see the position. */
  readonly weights: readonly (Float64Array | null)[];
  /** Prior of every token at this position, [vocabulary]: the text's, and what the spaces of the sums say. */
  readonly prior: Float64Array;
  tokens: Int32Array;
  /** Of `tokens`. */
  scores: Float64Array;
  /** Mean and variance of what the position adds to each row: [rows][headDim + 1], the last of them the weight itself. */
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

export class SumWindow {
  readonly #problem: WindowProblem;
  readonly #options: WindowOptions;
  readonly #columns: number;
  /** What the known keys leave to explain, [rows][headDim + 1]. */
  readonly #target: Float64Array;
  /** Σ w of the known keys, [rows] */
  readonly #knownMass: Float64Array;
  readonly #tops: Float64Array;
  readonly #valueSize: number;
  /** Values of the known keys that are seen, [kvHeads·headDim] each, by position. */
  readonly #knownValues = new Map<number, Float32Array>();
  readonly #beliefs = new Map<number, Belief>();

  private constructor(problem: WindowProblem, options: WindowOptions) {
    this.#problem = problem;
    this.#options = options;
    const { rows, keys } = problem;
    this.#columns = keys.attention.headDim + 1;
    this.#target = new Float64Array(rows.length * this.#columns);
    this.#knownMass = new Float64Array(rows.length);
    this.#tops = Float64Array.from(rows, ({ top }) => top ?? -Infinity);
    this.#valueSize = keys.valueSize;
  }

  /** Decodes the positions of a problem; `chance` moves the beginnings of restarts. */
  static async decode(problem: WindowProblem, options: WindowOptions, chance: () => number): Promise<WindowResult> {
    const window = new SumWindow(problem, options);
    await window.#prepare();
    addSpacePriors({
      problem,
      target: window.#target,
      columns: window.#columns,
      noise: (r, mass) => window.#rowNoise(r, mass).mean,
      knownMass: window.#knownMass,
      knownValues: window.#knownValues,
      unknown: [...window.#beliefs.values()],
    });
    const first = window.#search((belief) => belief.prior, chance);
    if (first.residual <= options.fit) return first;
    let best = window.#attempt(null, chance);
    if (first.residual < best.residual) best = first;
    for (let restart = 0; restart < options.restarts && best.residual > options.fit; restart++) {
      const next = window.#attempt(chance, chance);
      if (next.residual < best.residual) best = next;
    }
    return best;
  }

  /** Weights of all tokens at the unknown positions, and what the known ones explain. */
  async #prepare(): Promise<void> {
    const { keys, rows, positions, known } = this.#problem;
    const seen = new Set(rows.flatMap((row) => row.keys));
    const logits = new Map<number, Float64Array>(); // known position -> [rows]
    for (const [position, token] of known) {
      if (!seen.has(position)) continue;
      const { k: own } = await keys.of(token, position);
      logits.set(
        position,
        Float64Array.from(rows, (row) => (row.keys.includes(position) ? rowLogits(keys.attention, row, own)[0] : NaN)),
      );
    }
    // A merged row doesn't tell its largest logit: the largest known one is the unit.
    for (const at of logits.values())
      rows.forEach(({ top }, r) => {
        if (top === null && at[r] > this.#tops[r]) this.#tops[r] = at[r];
      });
    this.#tops.forEach((top, row) => {
      if (top === -Infinity) this.#tops[row] = 0;
    });
    rows.forEach((row, r) => {
      if (row.mass !== null) this.#target[r * this.#columns + this.#columns - 1] = row.mass;
    });
    for (const [position, at] of logits) {
      const { v } = await keys.of(known.get(position)!, position);
      this.#knownValues.set(position, v);
      rows.forEach((_, r) => {
        if (!Number.isNaN(at[r])) this.#explain(r, Math.exp(at[r] - this.#tops[r]), v);
      });
    }
    for (const position of positions) {
      const page = await keys.at(position);
      const weights = rows.map((row, r) => {
        if (!row.keys.includes(position)) return null;
        const of = rowLogits(keys.attention, row, page.k);
        for (let token = 0; token < of.length; token++) of[token] = Math.exp(Math.min(of[token] - this.#tops[r], 30));
        return of;
      });
      const cells = rows.length * this.#columns;
      const [mean, variance] = [new Float64Array(cells), new Float64Array(cells)];
      this.#beliefs.set(position, {
        page,
        weights,
        prior: this.#problem.logPrior.slice(),
        tokens: new Int32Array(0),
        scores: new Float64Array(0),
        mean,
        variance,
      });
    }
  }

  #explain(r: number, weight: number, v: Float32Array): void {
    const row = this.#problem.rows[r];
    const from = this.#group(row) * (this.#columns - 1);
    const at = r * this.#columns;
    for (let i = 0; i < this.#columns - 1; i++) this.#target[at + i] -= weight * (v[from + i] - row.mean[i]);
    if (row.mass !== null) this.#target[at + this.#columns - 1] -= weight;
    this.#knownMass[r] += weight;
  }

  #group(row: MixedRow): number {
    return valueHeadOf(this.#problem.keys.attention, row);
  }

  /** The best of a few tokens a position, those of the highest scores [vocabulary], made sure of over the whole vocabulary. */
  #search(scoresOf: (belief: Belief) => Float64Array, chance: () => number): WindowResult {
    const { rows, keys, positions } = this.#problem;
    const last = this.#columns - 1;
    const scale = new Float64Array(this.#target.length);
    rows.forEach((row, r) => {
      const noise = this.#rowNoise(r, row.mass ?? this.#knownMass[r] + MEAN_WEIGHT * positions.length);
      scale.fill(1 / Math.sqrt(noise.mean), r * this.#columns, r * this.#columns + last);
      scale[r * this.#columns + last] = row.mass === null ? 0 : 1 / Math.sqrt(noise.mass);
    });
    const count = Math.max(2, Math.min(SHORTLIST, Math.floor(SHORTLIST_COLUMNS / positions.length)));
    const lists = positions.map((position) => best(scoresOf(this.#beliefs.get(position)!), count));
    const sections = positions.map((position, s) => {
      const { page, weights } = this.#beliefs.get(position)!;
      return lists[s].map((token) => {
        const column = new Float64Array(scale.length);
        rows.forEach((row, r) => {
          const weight = weights[r]?.[token] ?? 0;
          const from = token * keys.width + this.#group(row) * last;
          for (let i = 0; i < last; i++) column[r * this.#columns + i] = weight * (page.v[from + i] - row.mean[i]);
          column[r * this.#columns + last] = weight;
        });
        return column.map((x, at) => x * scale[at]);
      });
    });
    const target = this.#target.map((x, at) => x * scale[at]);
    const enough = this.#options.fit * target.length;
    const { chosen } = searchShortlist(target, sections, SEARCH_STARTS, enough, chance);
    positions.forEach((position, s) => {
      const belief = this.#beliefs.get(position)!;
      belief.tokens = Int32Array.from([lists[s][chosen[s]], ...lists[s]]);
      belief.scores = Float64Array.from(belief.tokens, (_, c) => -c);
    });
    return this.#harden();
  }

  #attempt(moved: (() => number) | null, chance: () => number): WindowResult {
    const { positions } = this.#problem;
    for (const belief of this.#beliefs.values()) this.#begin(belief, moved);
    let settledRounds = 0;
    for (let round = 0; round < this.#options.iterations && settledRounds < 2; round++) {
      let settled = true;
      for (const position of positions) {
        const belief = this.#beliefs.get(position)!;
        this.#score(belief, true);
        if (round === 0 && belief.tokens.length > this.#options.candidates) this.#prune(belief);
        settled = this.#believe(belief) && settled;
      }
      settledRounds = settled ? settledRounds + 1 : 0;
    }
    const scores = new Map([...this.#beliefs.values()].map((belief) => [belief, this.#spread(belief)]));
    const settled = this.#harden();
    if (settled.residual <= this.#options.fit) return settled;
    const searched = this.#search((belief) => scores.get(belief)!, chance);
    return searched.residual < settled.residual ? searched : settled;
  }

  /** Scores of a belief's tokens over the whole vocabulary. */
  #spread({ tokens, scores }: Belief): Float64Array {
    const all = new Float64Array(this.#problem.keys.vocabulary).fill(-Infinity);
    tokens.forEach((token, c) => (all[token] = scores[c]));
    return all;
  }

  /** Every token that no weight rules out, as the prior has it. */
  #begin(belief: Belief, chance: (() => number) | null): void {
    const { rows, word } = this.#problem;
    const logPrior = belief.prior;
    const { logit, top } = NOISE[word];
    const allowed: number[] = [];
    for (let token = 0; token < logPrior.length; token++) {
      // A weight above that of the largest key that was seen (1) can't be.
      const fits = belief.weights.every(
        (of, r) => of === null || rows[r].top === null || of[token] <= 1 + 4 * (logit + top * Math.abs(this.#tops[r])),
      );
      if (fits && logPrior[token] > -Infinity) allowed.push(token);
    }
    belief.tokens = Int32Array.from(allowed.length > 0 ? allowed : logPrior.keys());
    belief.scores = Float64Array.from(
      belief.tokens,
      (token) => logPrior[token] - (chance === null ? 0 : 2 * Math.log(-Math.log(1 - chance()))),
    );
    this.#believe(belief);
  }

  /** What is left for this belief, and how sure, [rows][headDim + 1] each: rest and precision. */
  #rest(belief: Belief, soft: boolean): { rest: Float64Array; precision: Float64Array } {
    const { rows } = this.#problem;
    const rest = this.#target.slice();
    const noise = new Float64Array(rest.length);
    const mass = this.#knownMass.slice();
    const last = this.#columns - 1;
    for (const other of this.#beliefs.values()) {
      for (let r = 0; r < rows.length; r++) mass[r] += other.mean[r * this.#columns + last];
      if (other === belief) continue;
      for (let at = 0; at < rest.length; at++) {
        rest[at] -= other.mean[at];
        if (soft) noise[at] += other.variance[at];
      }
    }
    const precision = noise;
    for (let r = 0; r < rows.length; r++) {
      const own = this.#rowNoise(r, rows[r].mass ?? mass[r]);
      for (let i = 0; i < last; i++) precision[r * this.#columns + i] = 1 / (own.mean + noise[r * this.#columns + i]);
      const at = r * this.#columns + last;
      precision[at] = rows[r].mass === null ? 0 : 1 / (own.mass + noise[at]);
    }
    return { rest, precision };
  }

  /** Variances of a row's equations from its words alone. */
  #rowNoise(r: number, mass: number): { mean: number; mass: number } {
    const { mean, logit, top } = NOISE[this.#problem.word];
    const size = Math.abs(mass);
    return {
      mean: (mean * this.#valueSize * size) ** 2,
      mass: ((logit + top * Math.abs(this.#tops[r])) * size) ** 2,
    };
  }

  /** Scores of a belief's tokens: log prior + log likelihood of what the others leave. */
  #score(belief: Belief, soft: boolean): void {
    const { rows, keys } = this.#problem;
    const logPrior = soft ? belief.prior : this.#problem.logPrior;
    const { rest, precision } = this.#rest(belief, soft);
    const last = this.#columns - 1;
    const { tokens, scores } = belief;
    const { v } = belief.page;
    for (let c = 0; c < tokens.length; c++) scores[c] = logPrior[tokens[c]];
    const weighted = rest.map((value, at) => value * precision[at]);
    for (let r = 0; r < rows.length; r++) {
      const weights = belief.weights[r];
      if (weights === null) continue;
      const at = r * this.#columns;
      const mean = rows[r].mean;
      const offset = this.#group(rows[r]) * last;
      const [massPull, massWeight] = [weighted[at + last], precision[at + last]];
      for (let c = 0; c < tokens.length; c++) {
        const from = tokens[c] * keys.width + offset;
        let pull = massPull;
        let square = massWeight;
        for (let i = 0; i < last; i++) {
          const value = v[from + i] - mean[i];
          pull += value * weighted[at + i];
          square += value * value * precision[at + i];
        }
        const weight = weights[tokens[c]];
        scores[c] += weight * (pull - 0.5 * weight * square);
      }
    }
  }

  #prune(belief: Belief): void {
    const order = Array.from(belief.scores.keys()).sort((a, b) => belief.scores[b] - belief.scores[a]);
    const kept = order.slice(0, this.#options.candidates);
    const { tokens, scores } = belief;
    belief.tokens = Int32Array.from(kept, (c) => tokens[c]);
    belief.scores = Float64Array.from(kept, (c) => scores[c]);
  }

  /** Means and variances from the scores; true where one token has all. */
  #believe(belief: Belief): boolean {
    const { rows, keys } = this.#problem;
    const { tokens, scores, mean, variance, weights } = belief;
    const { v } = belief.page;
    const last = this.#columns - 1;
    const most = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    const p = scores.map((score) => Math.exp(score - most));
    const total = p.reduce((a, b) => a + b, 0);
    const held: number[] = [];
    let largest = 0;
    for (let c = 0; c < p.length; c++) {
      p[c] /= total;
      largest = Math.max(largest, p[c]);
      if (p[c] > LEAST_BELIEF) held.push(c);
    }
    mean.fill(0);
    variance.fill(0);
    for (let r = 0; r < rows.length; r++) {
      const of = weights[r];
      if (of === null) continue;
      const at = r * this.#columns;
      const offset = this.#group(rows[r]) * last;
      for (const c of held) {
        const from = tokens[c] * keys.width + offset;
        const share = p[c] * of[tokens[c]];
        const square = share * of[tokens[c]];
        for (let i = 0; i < last; i++) {
          const value = v[from + i] - rows[r].mean[i];
          mean[at + i] += share * value;
          variance[at + i] += square * value * value;
        }
        mean[at + last] += share;
        variance[at + last] += square;
      }
      for (let i = 0; i <= last; i++) variance[at + i] = Math.max(0, variance[at + i] - mean[at + i] ** 2);
    }
    return largest > 1 - SETTLED;
  }

  /** Coordinate descent on single tokens at the words' own noise, over the whole vocabulary, and what it proves. */
  #harden(): WindowResult {
    const { positions, logPrior } = this.#problem;
    const all = Int32Array.from(logPrior.keys());
    const soft = new Map([...this.#beliefs].map(([position, belief]) => [position, ranked(belief)]));
    for (const belief of this.#beliefs.values()) this.#choose(belief, ranked(belief)[0]);
    const lead = new Map<number, number>();
    for (let sweep = 0, moved = true; moved && sweep < 12; sweep++) {
      moved = false;
      for (const position of positions) {
        const belief = this.#beliefs.get(position)!;
        const before = belief.tokens[0];
        belief.tokens = all;
        belief.scores = new Float64Array(all.length);
        this.#score(belief, false);
        const [first, second] = best(belief.scores, 2);
        lead.set(position, belief.scores[first] - (belief.scores[second] ?? -Infinity));
        moved ||= first !== before;
        this.#choose(belief, first);
      }
    }
    const residuals = this.#residuals();
    const certified = new Set<number>();
    const guesses = new Map<number, number[]>();
    for (const position of positions) {
      const belief = this.#beliefs.get(position)!;
      const isFitting = residuals.every((value, r) => belief.weights[r] === null || value <= this.#options.fit);
      if (isFitting && lead.get(position)! >= this.#options.margin) certified.add(position);
      const chosen = belief.tokens[0];
      guesses.set(position, [chosen, ...soft.get(position)!.filter((token) => token !== chosen)].slice(0, 5));
    }
    return { guesses, certified, residual: Math.max(0, ...residuals) };
  }

  #choose(belief: Belief, token: number): void {
    belief.tokens = Int32Array.of(token);
    belief.scores = new Float64Array(1);
    this.#believe(belief);
  }

  /** Root mean square of each row's equations in units of their noise. */
  #residuals(): number[] {
    const { rows } = this.#problem;
    const rest = this.#target.slice();
    const mass = this.#knownMass.slice();
    const last = this.#columns - 1;
    for (const { mean } of this.#beliefs.values()) {
      for (let at = 0; at < rest.length; at++) rest[at] -= mean[at];
      for (let r = 0; r < rows.length; r++) mass[r] += mean[r * this.#columns + last];
    }
    return rows.map((row, r) => {
      const noise = this.#rowNoise(r, row.mass ?? mass[r]);
      let sum = 0;
      for (let i = 0; i < last; i++) sum += rest[r * this.#columns + i] ** 2;
      const ofMass = row.mass === null ? 0 : rest[r * this.#columns + last] ** 2 / noise.mass;
      return Math.sqrt(Math.max(sum / last / noise.mean, ofMass));
    });
  }
}

/** At most five tokens of a belief, best first. */
function ranked({ tokens, scores }: Belief): number[] {
  return best(scores, 5).map((c) => tokens[c]);
}

/** Indices of the `count` largest, largest first. */
function best(scores: Float64Array, count: number): number[] {
  const found: number[] = [];
  for (let c = 0; c < scores.length; c++) {
    if (found.length === count && !(scores[c] > scores[found[count - 1]])) continue;
    let at = found.length === count ? count - 1 : found.length;
    while (at > 0 && scores[c] > scores[found[at - 1]]) {
      found[at] = found[at - 1];
      at--;
    }
    found[at] = c;
  }
  return found;
}
