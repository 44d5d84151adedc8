/** Which way a softmax is taken: by a ladder of temperatures down to 1, or down to 2^t and then by t squarings (smpc.md, gates 7 and 8). */
import { RingBudgetError } from "../plan/ring-budget-error.ts";
import { chooseExps, type ExpChoice, type ExpDemand } from "./exp-choice.ts";
import { ladderDemands, ladderTemperatures, lateDemands, wideTemperatures, type LogitSpan } from "./ladder.ts";
import type { LateSum } from "./late-normalisation.ts";
import type { Precision } from "./precision.ts";
import { squaringBits, squarings, SQUARED_ROW_SUM, type Squaring } from "./square-softmax.ts";

/** A ladder at temperatures in units of 2^(number of squarings), the squarings, and the parameters of every exp. */
export interface SoftmaxChoice {
  readonly temperatures: readonly number[];
  readonly squarings: readonly Squaring[];
  readonly demands: readonly ExpDemand[];
  readonly exps: readonly ExpChoice[];
  /** log2 of the period of the logits' wire, in its units. */
  readonly periodBits: number;
  /** What the rows of the last exp sum up to. */
  readonly rowSum: number;
  /** Where the last rung's exponentials are the weights: what their rows sum up to, and what the level before takes off for that. */
  readonly late: { readonly sum: LateSum; readonly top: number } | null;
}

/** What every softmax of a plan has in common. */
export interface SoftmaxSetting {
  readonly span: LogitSpan;
  readonly keyCount: number;
  /** Of the weights' wire; of weights that are normalised late, with such sums. */
  readonly mixBits: number;
  readonly lateMixBits: (sum: LateSum) => number;
  /** Nats a unit of the logits' wire, and its fractional bits. */
  readonly scale: number;
  readonly fracBits: number;
}

const MOST_SQUARINGS = 10;
/** Dealt bits that an online bit is worth: the goals are 160 MB against 8 MB. */
const DEALT_PER_ONLINE = 20;

/**
 * As Precision.softmax says; squarings where the ladder doesn't fit. Of the numbers of squarings the one that costs least: temperatures
 * that are twice as high halve the exps' windows and add a squaring. Throws RingBudgetError where nothing fits.
 */
export function chooseSoftmax(precision: Precision, setting: SoftmaxSetting): SoftmaxChoice {
  const ways = precision.normalised === "attended" ? [late, byLadder] : [byLadder];
  for (const way of precision.softmax === "ladder" ? ways : [])
    try {
      return way(precision, setting);
    } catch (error) {
      if (!(error instanceof RingBudgetError)) throw error;
    }
  if (precision.squarings !== null) return bySquares(precision, setting, precision.squarings);
  let best: { choice: SoftmaxChoice; cost: number } | null = null;
  let last: unknown = null;
  for (let count = 1; count <= MOST_SQUARINGS; count++)
    try {
      const choice = bySquares(precision, setting, count);
      const cost = costOf(choice, setting);
      if (best === null || cost < best.cost) best = { choice, cost };
    } catch (error) {
      if (!(error instanceof RingBudgetError)) throw error;
      last = error;
    }
  if (best === null) throw last;
  return best.choice;
}

function byLadder(precision: Precision, { span, keyCount, mixBits, scale, fracBits }: SoftmaxSetting): SoftmaxChoice {
  const temperatures = ladderTemperatures(span.high, keyCount);
  const demands = ladderDemands(precision, span, temperatures, keyCount, mixBits);
  return { temperatures, squarings: [], demands, rowSum: 1, late: null, ...chooseExps(demands, { scale, fracBits }) };
}

function late(precision: Precision, { span, keyCount, lateMixBits, scale, fracBits }: SoftmaxSetting): SoftmaxChoice {
  const temperatures = wideTemperatures(span.high, keyCount);
  const { demands, sum, top } = lateDemands(precision, span, temperatures, keyCount, lateMixBits);
  const exps = chooseExps(demands, { scale, fracBits });
  return { temperatures, squarings: [], demands, rowSum: 1, late: { sum, top }, ...exps };
}

/** Bits that the sum of the first weights has more than that of a rung. */
const START_BITS = 2;
/** Room for the first normalisation's error and for the logarithm of its row sum, in nats. */
const START_ROOM = 0.5;

function bySquares(precision: Precision, setting: SoftmaxSetting, count: number): SoftmaxChoice {
  const { span, keyCount, mixBits, fracBits } = setting;
  const scale = setting.scale / 2 ** count;
  const stages = squarings(precision, count, keyCount, mixBits);
  const { low, high, spread, keyPivot } = span;
  const scaled = { keyPivot, low: low / 2 ** count, high: high / 2 ** count, spread: spread / 2 ** count };
  const temperatures = ladderTemperatures(scaled.high, keyCount);
  // The first squaring takes care of how its rows are normalised; only the ratios of its weights must be exact.
  const { fracBits: startFracBits, bits } = stages[0];
  const coarse = { ...precision, softmaxBits: precision.rungBits + START_BITS, weightFracBits: startFracBits };
  const demands = ladderDemands(coarse, scaled, temperatures, keyCount, bits);
  const weights = demands[demands.length - 1];
  demands[demands.length - 1] = {
    ...weights,
    low: weights.low - START_ROOM,
    relativeBits: precision.softmaxBits + count,
  };
  return {
    temperatures,
    squarings: stages,
    demands,
    rowSum: SQUARED_ROW_SUM,
    late: null,
    ...chooseExps(demands, { scale, fracBits }),
  };
}

/** Dealt bits of an entry, and what its online bits are worth in them (two parties). */
function costOf({ demands, exps, squarings: stages, periodBits }: SoftmaxChoice, { fracBits }: SoftmaxSetting): number {
  let [online, dealt] = [periodBits + fracBits, 0];
  demands.forEach(({ opened }, at) => {
    const { windows, tableFracBits, wordFracBits } = exps[at];
    dealt += windows * (opened.bits + tableFracBits + wordFracBits - opened.fracBits);
  });
  for (const stage of stages) {
    const bits = squaringBits(stage);
    online += bits.online;
    dealt += bits.dealt;
  }
  return dealt + 2 * DEALT_PER_ONLINE * online;
}
