/**
 * Pairs of tokens at two places of a gap, foretold without running them: to first order their effects on the row add up, so
 *   |r - r(guess) - δ(a) - δ(b)|² = |r - δ(a)|² + |δ(b)|² - 2 (r - δ(a))·δ(b)
 * needs each token's effect alone (a pass each) and one matrix product for all pairs. The likeliest pairs are for the caller to run.
 */
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import type { GapEvaluator, GapRow } from "./gap-evaluator.ts";

/** Pairs given for every two places. */
const PAIRS = 64;

/** Guesses that differ from `base` at two places; `tokens[place]` are those that are paired. Runs each of them once alone. */
export async function foretellPairs(
  evaluator: GapEvaluator,
  { observed, measure }: GapRow,
  base: readonly number[],
  tokens: readonly (readonly number[])[],
): Promise<number[][]> {
  const width = observed.length;
  const weights = measure.weights ?? new Float64Array(width).fill(1);
  const own = await scaledRows(evaluator, [base], width, weights);
  const residual = own.map((value, i) => observed[i] * weights[i] - value);
  const effects: Float64Array[] = [];
  for (const [place, list] of tokens.entries()) {
    const guesses = list.map((token) => base.with(place, token));
    effects.push((await scaledRows(evaluator, guesses, width, weights)).map((value, i) => value - own[i % width]));
  }
  const product = await Float64Product.open(1);
  try {
    const guesses: number[][] = [];
    for (let one = 0; one < tokens.length; one++)
      for (let other = one + 1; other < tokens.length; other++) {
        const left = effects[one].map((value, i) => residual[i % width] - value); // r - δ(a)
        const right = { data: effects[other], shape: [tokens[other].length, width], transposed: true } as const;
        const cross = await product.times(left, width, right);
        const best = leastPairs(squares(left, width), squares(effects[other], width), cross);
        for (const [a, b] of best) guesses.push([...base].with(one, tokens[one][a]).with(other, tokens[other][b]));
      }
    return guesses;
  } finally {
    await product.close();
  }
}

/** Rows of guesses, scaled, [guesses, d]. */
async function scaledRows(
  evaluator: GapEvaluator,
  guesses: readonly (readonly number[])[],
  width: number,
  weights: Float64Array,
): Promise<Float64Array> {
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
