/**
 * Pairs of tokens at two places of a gap, foretold without running them: to first order their effects on the row add up, so
 *   |r - r(guess) - δ(a) - δ(b)|² = |r - δ(a)|² + |δ(b)|² - 2 (r - δ(a))·δ(b)
 * needs each token's effect alone and one matrix product for all pairs. The likeliest pairs are for the caller to run.
 */
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import type { GapEvaluator, GapRow } from "./gap-evaluator.ts";

/** Pairs given for every two places. */
const PAIRS = 64;

/** What each of some tokens does to the row alone, at one place of a guess. */
export interface PlaceEffects {
  readonly tokens: readonly number[];
  /** [tokens, d], scaled by the measure's weights */
  readonly effects: Float64Array;
}

/** By place, the effects of moving `base` there to each of `tokens[place]`: two passes a token (itself, and the visible one after it). */
export async function measureEffects(
  evaluator: GapEvaluator,
  row: GapRow,
  base: readonly number[],
  tokens: readonly (readonly number[])[],
): Promise<PlaceEffects[]> {
  const width = row.observed.length;
  const own = await scaledRows(evaluator, row, [base]);
  const places: PlaceEffects[] = [];
  for (const [place, list] of tokens.entries()) {
    const rows = await scaledRows(
      evaluator,
      row,
      list.map((token) => base.with(place, token)),
    );
    places.push({ tokens: list, effects: rows.map((value, i) => value - own[i % width]) });
  }
  return places;
}

/** Guesses that differ from `base` at two places. The effects may be those of another guess: they are much the same for all. */
export async function foretellPairs(
  evaluator: GapEvaluator,
  row: GapRow,
  base: readonly number[],
  places: readonly PlaceEffects[],
): Promise<number[][]> {
  const width = row.observed.length;
  const weights = weightsOf(row);
  const residual = (await scaledRows(evaluator, row, [base])).map((value, i) => row.observed[i] * weights[i] - value);
  const product = await Float64Product.open(1);
  try {
    const guesses: number[][] = [];
    for (let one = 0; one < places.length; one++)
      for (let other = one + 1; other < places.length; other++) {
        const [first, second] = [places[one], places[other]];
        // The tokens that stand there now make room: their own effects leave the row.
        const from = [effectOf(first, base[one], width), effectOf(second, base[other], width)];
        const open = residual.map((value, i) => value + from[0][i] + from[1][i]);
        const left = first.effects.map((value, i) => open[i % width] - value); // r - δ(a)
        const right = { data: second.effects, shape: [second.tokens.length, width], transposed: true } as const;
        const cross = await product.times(left, width, right);
        const best = leastPairs(squares(left, width), squares(second.effects, width), cross);
        for (const [a, b] of best) guesses.push([...base].with(one, first.tokens[a]).with(other, second.tokens[b]));
      }
    return guesses;
  } finally {
    await product.close();
  }
}

/** Effect of a token, [d]; none known: that of the guess which the effects were measured on. */
function effectOf({ tokens, effects }: PlaceEffects, token: number, width: number): Float64Array {
  const at = tokens.indexOf(token);
  return at < 0 ? new Float64Array(width) : effects.slice(at * width, (at + 1) * width);
}

const weightsOf = ({ measure, observed }: GapRow): Float64Array =>
  measure.weights ?? new Float64Array(observed.length).fill(1);

/** Rows of guesses, scaled, [guesses, d]. */
async function scaledRows(
  evaluator: GapEvaluator,
  row: GapRow,
  guesses: readonly (readonly number[])[],
): Promise<Float64Array> {
  const weights = weightsOf(row);
  const width = weights.length;
  const out = new Float64Array(guesses.length * width);
  await evaluator.rows(guesses, ({ data }, from) => {
    for (let i = 0; i < data.length; i++) out[from * width + i] = data[i] * weights[i % width];
  });
  return out;
}

function squares(rows: Float64Array, width: number): Float64Array {
  const sums = new Float64Array(rows.length / width);
  rows.forEach((value, i) => (sums[Math.floor(i / width)] += value ** 2));
  return sums;
}

/** The pairs of least left(a) + right(b) - 2 cross(a, b), least first. */
function leastPairs(left: Float64Array, right: Float64Array, cross: Float64Array): [number, number][] {
  let kept: { error: number; a: number; b: number }[] = [];
  let worst = Infinity;
  for (let a = 0, at = 0; a < left.length; a++)
    for (let b = 0; b < right.length; b++, at++) {
      const error = left[a] + right[b] - 2 * cross[at];
      if (error >= worst) continue;
      kept.push({ error, a, b });
      if (kept.length < 4 * PAIRS) continue;
      kept = kept.sort((x, y) => x.error - y.error).slice(0, PAIRS);
      worst = kept[PAIRS - 1].error;
    }
  return kept
    .sort((x, y) => x.error - y.error)
    .slice(0, PAIRS)
    .map(({ a, b }) => [a, b]);
}
