/**
 * Sums over a few keys of unknown weights, solved for their tokens.
 *
 * A row of one shard is, head by head, a sum of its visible keys' value rows with weights that nobody knows, so it lies in their span. Where
 * all but one of these keys have tokens that are known, what is left of the row beside their span points where the last one's value row does.
 * Where more are unknown and as many rows are there for each value head, these rows span what the unknown ones do: tokens whose value rows
 * lie in it are the keys', in an order that the span doesn't tell.
 */
import type { AttentionSpec } from "../../../layers/program.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { VocabularyWalk } from "../probes/vocabulary-walk.ts";

/** numbers [heads * headDim] lie, head by head, in the span of the value rows of `keys`, which ascend, of shard k. */
export interface ValueEquation {
  readonly k: number;
  readonly keys: readonly number[];
  readonly numbers: Float64Array;
}

/** Tokens of a key, best first, and by how much of the row each of the first two is off: 0 is not at all. */
export interface KeyGuess {
  readonly ids: readonly number[];
  /** Is it known to be this key's token, and not that of another one of the shard? */
  readonly isPlaced: boolean;
  readonly left: number;
  readonly leftOfNext: number;
}

/** Ids that are ranked. */
const RANKED = 5;
/** A row with less beside the known keys' span than this part of it says nothing more. */
const LEAST_LEFT = 1e-4;
/** Rows are new directions where so much of them lies beside the ones before: roundings of words are far smaller. */
const LEAST_APART = 1e-3;
/** Keys that are unknown together are read where this much of the last one's value row, at most, is off. */
const IN_SPAN = 1e-3;
/** Most keys that are unknown together. */
const MOST_TOGETHER = 12;

export class ValueDictionary {
  readonly #attention: AttentionSpec;
  /** Of every token alone, [vocabulary, kvHeads * headDim]: exact at layer 0, near at later ones. */
  readonly #rows: Float32Array;

  private constructor(attention: AttentionSpec, rows: Float32Array) {
    this.#attention = attention;
    this.#rows = rows;
  }

  static async of(engine: StageEngine, layer: number): Promise<ValueDictionary> {
    const { vocabulary } = engine.spec;
    const attention = engine.attention(layer);
    const width = attention.kvHeads * attention.headDim;
    const rows = new Float32Array(vocabulary * width);
    const walk = await VocabularyWalk.begin(engine, []);
    for (let below = 0; below < layer; below++) await walk.step(below);
    await walk.step(layer, ({ projections, from }) => rows.set(projections!.v, from * width));
    return new ValueDictionary(attention, rows);
  }

  /** The token of the one key that isn't known; null where the row says nothing of it. */
  solve({ numbers }: ValueEquation, known: readonly number[]): KeyGuess | null {
    const { heads, kvHeads, headDim } = this.#attention;
    const vocabulary = this.#rows.length / (kvHeads * headDim);
    const matched = new Float64Array(vocabulary);
    let [all, all0] = [0, 0];
    for (let head = 0; head < heads; head++) {
      const at = Math.floor((head * kvHeads) / heads) * headDim;
      const basis = orthonormal(known.map((token) => this.#value(token, at)));
      const row = Float64Array.from(numbers.subarray(head * headDim, (head + 1) * headDim));
      all0 += squares(row);
      takeOff(row, basis);
      all += squares(row);
      for (let token = 0; token < vocabulary; token++) {
        const value = this.#value(token, at);
        takeOff(value, basis);
        const length = squares(value);
        if (length > 0) matched[token] += dot(row, value) ** 2 / length;
      }
    }
    if (all <= LEAST_LEFT ** 2 * all0 || all === 0) return null;
    const ids = Array.from(matched.keys())
      .sort((a, b) => matched[b] - matched[a])
      .slice(0, RANKED);
    return { ids, isPlaced: true, left: 1 - matched[ids[0]] / all, leftOfNext: 1 - matched[ids[1]] / all };
  }

  /** The `unknown` tokens whose value rows rows of one shard span beside those of known ones; null where they don't span as many. */
  span(rows: readonly Float64Array[], known: readonly number[], unknown: number): KeyGuess | null {
    const { heads, kvHeads, headDim } = this.#attention;
    const vocabulary = this.#rows.length / (kvHeads * headDim);
    const beside = new Float64Array(vocabulary);
    for (let kvHead = 0; kvHead < kvHeads; kvHead++) {
      const spanned = orthonormal(known.map((token) => this.#value(token, kvHead * headDim)));
      const parts = rows.flatMap((row) =>
        Array.from({ length: heads }, (_, head) => head)
          .filter((head) => Math.floor((head * kvHeads) / heads) === kvHead)
          .map((head) => Float64Array.from(row.subarray(head * headDim, (head + 1) * headDim))),
      );
      spanned.push(...orthonormal(parts, spanned, LEAST_APART));
      if (spanned.length !== known.length + unknown || spanned.length >= headDim) return null;
      for (let token = 0; token < vocabulary; token++) {
        const value = this.#value(token, kvHead * headDim);
        const all = squares(value);
        takeOff(value, spanned);
        beside[token] += all === 0 ? 1 : squares(value) / all / kvHeads;
      }
    }
    const taken = new Set(known);
    const ids = Array.from(beside.keys())
      .filter((token) => !taken.has(token))
      .sort((a, b) => beside[a] - beside[b])
      .slice(0, unknown + 1);
    const [last, next] = [ids[unknown - 1], ids[unknown]];
    return { ids: ids.slice(0, unknown), isPlaced: false, left: beside[last], leftOfNext: beside[next] };
  }

  #value(token: number, at: number): Float64Array {
    const { kvHeads, headDim } = this.#attention;
    const from = token * kvHeads * headDim + at;
    return Float64Array.from(this.#rows.subarray(from, from + headDim));
  }
}

/**
 * Solves equations, again and again until none tells more: first those with one unknown key, else the shard with the fewest of them.
 * `known`: tokens by position. Gives guesses by position; of several equations for a key the best fit counts.
 */
export function solveEquations(
  equations: readonly ValueEquation[],
  known: ReadonlyMap<number, number>,
  dictionary: ValueDictionary,
): Map<number, KeyGuess> {
  const guesses = new Map<number, KeyGuess>();
  const tokenAt = (key: number): number | undefined => known.get(key) ?? guesses.get(key)?.ids[0];
  const unknownOf = ({ keys }: ValueEquation): number[] => keys.filter((key) => tokenAt(key) === undefined);
  const tokensOf = ({ keys }: ValueEquation): number[] => keys.map(tokenAt).filter((token) => token !== undefined);
  const singles = (): ReadonlyMap<number, KeyGuess> => {
    const found = new Map<number, KeyGuess>();
    for (const equation of equations) {
      const [key, ...more] = unknownOf(equation);
      if (key === undefined || more.length > 0) continue;
      const guess = dictionary.solve(equation, tokensOf(equation));
      if (guess !== null && guess.left < (found.get(key)?.left ?? Infinity)) found.set(key, guess);
    }
    return found;
  };
  const together = (): ReadonlyMap<number, KeyGuess> => {
    const open = equations.filter((each) => unknownOf(each).length > 1);
    for (const equation of open.sort((a, b) => unknownOf(a).length - unknownOf(b).length)) {
      const unknown = unknownOf(equation);
      if (unknown.length > MOST_TOGETHER) break;
      const rows = equations.filter(({ k, keys }) => k === equation.k && keys.length <= equation.keys.length);
      const guess = dictionary.span(
        rows.map(({ numbers }) => numbers),
        tokensOf(equation),
        unknown.length,
      );
      if (guess === null || guess.left > IN_SPAN) continue;
      const turned = (by: number): number[] => [...guess.ids.slice(by), ...guess.ids.slice(0, by)];
      return new Map(unknown.map((key, at) => [key, { ...guess, ids: turned(at) }]));
    }
    return new Map();
  };
  for (;;) {
    const one = singles();
    const found = one.size > 0 ? one : together();
    if (found.size === 0) return guesses;
    for (const [key, guess] of found) guesses.set(key, guess);
  }
}

const squares = (row: Float64Array): number => dot(row, row);

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** row -= its part in the span of an orthonormal basis. */
function takeOff(row: Float64Array, basis: readonly Float64Array[]): void {
  for (const each of basis) {
    const part = dot(row, each);
    for (let i = 0; i < row.length; i++) row[i] -= part * each[i];
  }
}

/** Directions of rows that lie beside `before` and one another by more than this part of the row; the rows are overwritten. */
function orthonormal(rows: readonly Float64Array[], before: readonly Float64Array[] = [], part = 1e-6): Float64Array[] {
  const basis: Float64Array[] = [];
  for (const row of rows) {
    const whole = Math.sqrt(squares(row));
    for (let time = 0; time < 2; time++) for (const each of [before, basis]) takeOff(row, each); // twice: roundings
    const length = Math.sqrt(squares(row));
    if (length > part * whole) basis.push(row.map((value) => value / length));
  }
  return basis;
}
