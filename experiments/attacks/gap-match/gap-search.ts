/**
 * Search for the tokens of a gap. Guesses of all its tokens are moved one token at a time, best guess first: a nearly right guess has a
 * smaller distance already, so truths that the model would never propose are found by the row alone.
 *
 * What orders the tokens that are tried at a place: the model's proposals after the guess so far, in turn with what earlier moves at
 * that place gained (the effect of a token on the row is much the same whatever the other guesses are), and for the visible token
 * what a probe reads in its row. Places that gain together are moved together; where none gains, pairs of the best are tried.
 */
import { interleave } from "../matching/proposals.ts";
import { foretellPairs, measureEffects, type PlaceEffects } from "./gap-pairs.ts";
import { GapEvaluator, type GapRow } from "./gap-evaluator.ts";

export interface GapTask extends GapRow {
  /** Candidates of the visible token, best first; a single one that is known isn't moved. */
  readonly own: readonly number[];
  readonly ownKnown: boolean;
  /** Distance below which a guess is proven. */
  readonly epsilon: number;
  /** Most candidate tokens that may be run. */
  readonly passes: number;
}

/** A guess of the missing tokens and the visible one. */
export interface GapGuess {
  readonly tokens: readonly number[];
  readonly distance: number;
}

export interface GapAnswer {
  readonly best: GapGuess;
  /** Best first, the answer itself at the front. */
  readonly ranked: readonly GapGuess[];
  readonly certified: boolean;
  readonly passes: number;
  /** Best guesses as they were found, with the passes spent until then. */
  readonly trail: readonly (GapGuess & { readonly passes: number })[];
}

/** Tokens tried at a place the first time; four times as many each time after. */
const FIRST_CHUNK = 16;
/** What a guess whose next moves are as many again is worth less. */
const LEVEL_PENALTY = 1.1;
/** Guesses of the model alone to start from: beam, and visible tokens with each. */
const [BEAM, OWN_SEEDS] = [4, 2];
/** Chunks after which pairs are foretold, and tokens of a place that are then paired with those of another: at the least, at the most. */
const [PAIR_LEVEL, LEAST_FORETOLD, FORETOLD] = [2, 256, 2048];
/** Moves of a guess that are followed, tokens of a place that are paired, guesses that wait, guesses reported. */
const [FOLLOWED, PAIRED, WAITING, RANKED] = [3, 6, 512, 5];

interface Waiting extends GapGuess {
  readonly level: number;
}

/** Searches until a guess is proven or the passes are spent. */
export async function searchGap(task: GapTask): Promise<GapAnswer> {
  const search = new GapSearch(task);
  await search.seed();
  while (await search.step());
  return search.answer();
}

class GapSearch {
  readonly #task: GapTask;
  readonly #evaluator: GapEvaluator;
  readonly #before: number;
  readonly #seen = new Set<string>();
  readonly #trail: (GapGuess & { passes: number })[] = [];
  /** By place: what moving to a token gained last. */
  readonly #gains: Map<number, number>[];
  /** By place, measured once: they cost thousands of passes and hardly depend on the guess. */
  #effects: PlaceEffects[] | null = null;
  #waiting: Waiting[] = [];
  #ranked: GapGuess[] = [];

  constructor(task: GapTask) {
    this.#task = task;
    this.#evaluator = new GapEvaluator(task);
    this.#before = task.forward.passes;
    this.#gains = Array.from({ length: task.missing + 1 }, () => new Map<number, number>());
  }

  get #spent(): number {
    return this.#task.forward.passes - this.#before;
  }

  get #isOver(): boolean {
    return (
      this.#spent >= this.#task.passes || (this.#ranked.length > 0 && this.#ranked[0].distance <= this.#task.epsilon)
    );
  }

  /** The model's own likeliest texts of the gap, each with the likeliest visible tokens. */
  async seed(): Promise<void> {
    let beam: { tokens: number[]; score: number }[] = [{ tokens: [], score: 0 }];
    for (let place = 0; place < this.#task.missing; place++) {
      const next: typeof beam = [];
      for (const { tokens, score } of beam) {
        const { order, logProbabilities } = await this.#evaluator.proposals(tokens);
        for (const token of order.subarray(0, BEAM))
          next.push({ tokens: [...tokens, token], score: score + logProbabilities[token] });
      }
      beam = next.sort((a, b) => b.score - a.score).slice(0, BEAM);
    }
    const own = this.#task.own.slice(0, OWN_SEEDS);
    this.#wait(await this.#try(beam.flatMap(({ tokens }) => own.map((id) => [...tokens, id]))));
  }

  /** Moves the most promising guess; false when the search is over. */
  async step(): Promise<boolean> {
    if (this.#isOver || this.#waiting.length === 0) return false;
    const worth = ({ distance, level }: Waiting): number => distance * LEVEL_PENALTY ** level;
    let at = 0;
    this.#waiting.forEach((each, index) => {
      if (worth(each) < worth(this.#waiting[at])) at = index;
    });
    const [from] = this.#waiting.splice(at, 1);
    const moved: GapGuess[] = [];
    let untried = false;
    for (let place = 0; place <= this.#task.missing; place++) {
      if (place === this.#task.missing && this.#task.ownKnown) continue;
      const moves = await this.#moves(from, place);
      untried ||= moves.length > 0;
      const tried = await this.#try(moves);
      for (const { tokens, distance } of tried) this.#gains[place].set(tokens[place], distance - from.distance);
      moved.push(...tried);
      if (this.#isOver) return false;
    }
    const joined = await this.#try(this.#joint(from, moved));
    const gained = [...moved, ...joined].some(({ distance }) => distance < from.distance);
    const paired = gained || from.level === 0 ? [] : await this.#try(this.#pairs(from));
    const best = [...moved, ...joined, ...paired].sort((a, b) => a.distance - b.distance).slice(0, FOLLOWED);
    this.#wait(best);
    if (untried) this.#waiting.push({ ...from, level: from.level + 1 });
    if (!gained && from.level >= PAIR_LEVEL && this.#task.missing > 1) this.#wait(await this.#linearPairs(from));
    return !this.#isOver;
  }

  answer(): GapAnswer {
    const [best] = this.#ranked;
    const { epsilon } = this.#task;
    const certified = best.distance <= epsilon;
    return { best, ranked: this.#ranked, certified, passes: this.#spent, trail: this.#trail };
  }

  /** The next tokens to try at a place of a guess, as guesses. */
  async #moves({ tokens, level }: Waiting, place: number): Promise<number[][]> {
    const learned = this.#learned(place);
    const wanted = FIRST_CHUNK * 4 ** level;
    const isOwn = place === this.#task.missing;
    const orders: ArrayLike<number>[] = isOwn ? [this.#task.own, learned] : [learned];
    // The model runs through all its layers for a proposal; where a probe names enough tokens it needn't.
    if (!isOwn || this.#task.own.length < 4 * wanted)
      orders.push((await this.#evaluator.proposals(tokens.slice(0, place))).order);
    const moves: number[][] = [];
    for (const token of interleave(...orders)) {
      const guess = tokens.with(place, token);
      if (!this.#seen.has(guess.join(" "))) moves.push(guess);
      if (moves.length >= wanted) break;
    }
    return moves;
  }

  /** The best gaining moves of several places at once, the greatest gains first: of two places, of three, ... */
  #joint(from: GapGuess, moved: readonly GapGuess[]): number[][] {
    const best = new Map<number, GapGuess>();
    for (const move of moved) {
      const place = move.tokens.findIndex((token, at) => token !== from.tokens[at]);
      if (move.distance < from.distance && move.distance < (best.get(place)?.distance ?? Infinity))
        best.set(place, move);
    }
    const places = [...best].sort((a, b) => a[1].distance - b[1].distance);
    const joint: number[][] = [];
    let tokens = [...from.tokens];
    places.forEach(([place, move], at) => {
      tokens = tokens.with(place, move.tokens[place]);
      if (at > 0) joint.push(tokens);
    });
    return joint;
  }

  /** The best tokens of every two places. */
  #pairs({ tokens }: GapGuess): number[][] {
    const top = this.#gains.map((_, place) => this.#learned(place).slice(0, PAIRED));
    const pairs: number[][] = [];
    for (let one = 0; one < top.length; one++)
      for (let other = one + 1; other < top.length; other++)
        for (const first of top[one])
          for (const second of top[other]) pairs.push([...tokens].with(one, first).with(other, second));
    return pairs;
  }

  /** Pairs among very many tokens, foretold from what each does alone: where single moves and the best tokens' pairs gain nothing. */
  async #linearPairs(from: GapGuess): Promise<GapGuess[]> {
    if (this.#effects === null) {
      // Each token is run itself, and the visible one after it; the pairs want something left.
      const most = Math.min(FORETOLD, Math.floor((this.#task.passes - this.#spent) / (2 * this.#task.missing + 1)));
      if (most < LEAST_FORETOLD) return [];
      const places: number[][] = [];
      for (let place = 0; place < this.#task.missing; place++) {
        const { order } = await this.#evaluator.proposals(from.tokens.slice(0, place));
        const tokens = interleave([from.tokens[place]], this.#learned(place), order);
        places.push([...tokens].slice(0, most));
      }
      this.#effects = await measureEffects(this.#evaluator, this.#task, from.tokens, places);
    }
    const pairs = await foretellPairs(this.#evaluator, this.#task, from.tokens, this.#effects);
    return (await this.#try(pairs)).sort((a, b) => a.distance - b.distance).slice(0, FOLLOWED);
  }

  /** Tokens that were tried at a place, by what they gained. */
  #learned(place: number): number[] {
    const gains = this.#gains[place];
    return [...gains.keys()].sort((a, b) => gains.get(a)! - gains.get(b)!);
  }

  /** Distances of guesses that haven't been tried, as many as there are passes for. */
  async #try(guesses: readonly (readonly number[])[]): Promise<GapGuess[]> {
    const fresh: (readonly number[])[] = [];
    for (const guess of guesses) {
      const key = guess.join(" ");
      if (this.#seen.has(key) || fresh.length >= this.#task.passes - this.#spent) continue;
      this.#seen.add(key);
      fresh.push(guess);
    }
    if (fresh.length === 0) return [];
    const distances = await this.#evaluator.distances(fresh);
    const tried = fresh.map((tokens, at) => ({ tokens, distance: distances[at] }));
    const before = this.#ranked[0]?.distance ?? Infinity;
    this.#ranked = [...this.#ranked, ...tried].sort((a, b) => a.distance - b.distance).slice(0, RANKED);
    if (this.#ranked[0].distance < before) this.#trail.push({ ...this.#ranked[0], passes: this.#spent });
    return tried;
  }

  #wait(guesses: readonly GapGuess[]): void {
    this.#waiting.push(...guesses.map((guess) => ({ ...guess, level: 0 })));
    if (this.#waiting.length <= WAITING) return;
    this.#waiting.sort((a, b) => a.distance - b.distance);
    this.#waiting.length = WAITING;
  }
}
