/**
 * An additive model of a window's observed rows: a base and an effect a place and token, measured by exact single swaps around contexts.
 *
 * Around a context z a row is nearly additive in the window's tokens: f(z') = f(z) + sum over places of (f(z with z'_i) - f(z)) + interactions. The
 * mean over several contexts has smaller interactions with a window that is none of them.
 */
import type { WindowForward } from "./window-forward.ts";

/** Tokens that a place may hold; all of a place's arrays are in their order. */
export interface PlaceCandidates {
  readonly tokens: readonly number[];
  /** [tokens], summing to 1 */
  readonly prior: Float64Array;
}

export interface PlaceEffects extends PlaceCandidates {
  /** [tokens, width] */
  readonly effects: Float32Array;
  /** Token to its row of `effects`. */
  readonly rowOf: ReadonlyMap<number, number>;
}

/** A guess of a window with its observed rows, and how far they are from those that were seen. */
export interface RunGuess {
  readonly tokens: readonly number[];
  /** [width] */
  readonly rows: Float32Array;
}

export interface AdditiveModel {
  /** [width] */
  readonly base: Float64Array;
  readonly places: readonly PlaceEffects[];
}

/**
 * Swaps every candidate into every place of every context. `visit`: all swapped rows of a place of a context, exact, [tokens, width], as they come.
 */
export async function measureEffects(
  forward: WindowForward,
  contexts: readonly (readonly number[])[],
  candidates: readonly PlaceCandidates[],
  visit: (context: readonly number[], place: number, rows: Float32Array) => void,
): Promise<AdditiveModel> {
  const { width } = forward;
  const effects = candidates.map(({ tokens }) => new Float32Array(tokens.length * width));
  const bases: Float32Array[] = [];
  for (const context of contexts) {
    const common = await forward.common(context);
    const base = common.observed;
    bases.push(base);
    for (const [place, { tokens }] of candidates.entries()) {
      const rows = await forward.swaps(common, place, tokens);
      visit(context, place, rows);
      const into = effects[place];
      for (let token = 0, at = 0; token < tokens.length; token++)
        for (let i = 0; i < width; i++, at++) into[at] += (rows[at] - base[i]) / contexts.length;
    }
  }
  const places = candidates.map((each, place) => ({
    ...each,
    effects: effects[place],
    rowOf: new Map(each.tokens.map((token, row) => [token, row])),
  }));
  // The base that the contexts' own rows ask for on average.
  const unbased = { base: new Float64Array(width), places };
  const base = new Float64Array(width);
  contexts.forEach((tokens, at) => {
    const rest = residual(unbased, { tokens, rows: bases[at] });
    for (let i = 0; i < width; i++) base[i] += rest[i] / contexts.length;
  });
  return { base, places };
}

/** What the model leaves of a guess's rows, [width]; a token without an effect adds none. */
export function residual({ base, places }: AdditiveModel, { tokens, rows }: RunGuess): Float64Array {
  const rest = Float64Array.from(rows, (value, i) => value - base[i]);
  tokens.forEach((token, place) => {
    const row = places[place].rowOf.get(token);
    if (row === undefined) return;
    const { effects } = places[place];
    for (let i = 0, at = row * rest.length; i < rest.length; i++, at++) rest[i] -= effects[at];
  });
  return rest;
}
