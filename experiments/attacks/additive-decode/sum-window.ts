/**
 * Which tokens, one a position, make some observed sums over keys? Each row and head gives headDim exact linear equations
 *   Σ_s w_s (v_s - mean) = 0,  w_s = exp(scale q·k_s - top),
 * and, where the mass is seen, Σ_s w_s = mass; the pairs (w, v) of every token at every position are public. One token a position is a
 * sparse superposition code: decoded by soft interference cancellation (each position in turn weighs all tokens against what the others'
 * present beliefs leave, with the beliefs' variance as noise), then by hard coordinate descent at the noise of the words.
 * Reference: Barron and Joseph, arXiv 1207.2406 (the code); Wang and Poor, IEEE Trans. Commun. 47 (1999) (soft cancellation).
 */
import { best } from "../probes/linear-probe.ts";
import type { KeyPage } from "../sums/candidate-keys.ts";
import { searchShortlist } from "./shortlist-search.ts";
import { addSpacePriors } from "./space-priors.ts";
import { WindowEquations, type WindowProblem } from "./window-equations.ts";

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
  readonly #equations: WindowEquations;
  readonly #problem: WindowProblem;
  readonly #options: WindowOptions;
  readonly #columns: number;
  readonly #beliefs = new Map<number, Belief>();

  private constructor(equations: WindowEquations, options: WindowOptions) {
    this.#equations = equations;
    this.#problem = equations.problem;
    this.#options = options;
    this.#columns = equations.columns;
  }

  /** Decodes the positions of a problem; `chance` moves the beginnings of restarts. */
  static async decode(problem: WindowProblem, options: WindowOptions, chance: () => number): Promise<WindowResult> {
    const equations = await WindowEquations.of(problem);
    const window = new SumWindow(equations, options);
    await window.#open();
    addSpacePriors(equations, [...window.#beliefs.values()]);
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

  /** Weights and values of all tokens at the unknown positions. */
  async #open(): Promise<void> {
    const { keys, rows, positions, logPrior } = this.#problem;
    const cells = rows.length * this.#columns;
    for (const position of positions) {
      const page = await keys.at(position);
      this.#beliefs.set(position, {
        page,
        weights: this.#equations.weightsAt(position, page),
        prior: logPrior.slice(),
        tokens: new Int32Array(0),
        scores: new Float64Array(0),
        mean: new Float64Array(cells),
        variance: new Float64Array(cells),
      });
    }
  }

  /** The best of a few tokens a position, those of the highest scores [vocabulary], made sure of over the whole vocabulary. */
  #search(scoresOf: (belief: Belief) => Float64Array, chance: () => number): WindowResult {
    const { rows, keys, positions } = this.#problem;
    const last = this.#columns - 1;
    const scale = new Float64Array(this.#equations.target.length);
    rows.forEach((row, r) => {
      const noise = this.#equations.noise(r, row.mass ?? this.#equations.knownMass[r] + MEAN_WEIGHT * positions.length);
      scale.fill(1 / Math.sqrt(noise.mean), r * this.#columns, r * this.#columns + last);
      scale[r * this.#columns + last] = row.mass === null ? 0 : 1 / Math.sqrt(noise.mass);
    });
    const count = Math.max(2, Math.min(SHORTLIST, Math.floor(SHORTLIST_COLUMNS / positions.length)));
    const lists = positions.map((position) => best(scoresOf(this.#beliefs.get(position)!), count).ids);
    const sections = positions.map((position, s) => {
      const { page, weights } = this.#beliefs.get(position)!;
      return lists[s].map((token) => {
        const column = new Float64Array(scale.length);
        rows.forEach((row, r) => {
          const weight = weights[r]?.[token] ?? 0;
          const from = token * keys.width + this.#equations.group(r) * last;
          for (let i = 0; i < last; i++) column[r * this.#columns + i] = weight * (page.v[from + i] - row.mean[i]);
          column[r * this.#columns + last] = weight;
        });
        return column.map((x, at) => x * scale[at]);
      });
    });
    const target = this.#equations.target.map((x, at) => x * scale[at]);
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
    const logPrior = belief.prior;
    const largest = this.#problem.rows.map((_, r) => this.#equations.largestWeight(r));
    const allowed: number[] = [];
    for (let token = 0; token < logPrior.length; token++) {
      const fits = belief.weights.every((of, r) => of === null || of[token] <= largest[r]);
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
    const rest = this.#equations.target.slice();
    const noise = new Float64Array(rest.length);
    const mass = this.#equations.knownMass.slice();
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
      const own = this.#equations.noise(r, rows[r].mass ?? mass[r]);
      for (let i = 0; i < last; i++) precision[r * this.#columns + i] = 1 / (own.mean + noise[r * this.#columns + i]);
      const at = r * this.#columns + last;
      precision[at] = rows[r].mass === null ? 0 : 1 / (own.mass + noise[at]);
    }
    return { rest, precision };
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
      const offset = this.#equations.group(r) * last;
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
      const offset = this.#equations.group(r) * last;
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
        const [first, second] = best(belief.scores, 2).ids;
        lead.set(position, belief.scores[first] - (belief.scores[second] ?? -Infinity));
        moved ||= first !== before;
        this.#choose(belief, first);
      }
    }
    const residuals = this.#equations.residuals([...this.#beliefs.values()].map(({ mean }) => mean));
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
}

/** At most five tokens of a belief, best first. */
function ranked({ tokens, scores }: Belief): number[] {
  return best(scores, 5).ids.map((c) => tokens[c]);
}
