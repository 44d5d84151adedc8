/** How a softmax row is normalised: at which temperatures, over which intervals, how exactly (smpc.md, gate 7). */
import { RingBudgetError } from "../plan/ring-budget-error.ts";
import type { ExpDemand } from "./exp-choice.ts";
import { lateBits, type LateSum } from "./late-normalisation.ts";
import type { Precision } from "./precision.ts";
import type { SiteRange } from "./ranges.ts";

/** Largest error of a coarse rung's logarithm, and with the rounding of its sum: the relative error of what it normalises by. */
const COARSE_LOG_ERROR = 0.06;
const COARSE_ERROR = 0.1;
/** Room, in nats, at each end of an exp's interval: for the rounding of logits and levels. */
const ROUNDING_ROOM = 0.25;
/** Dynamic range of a sum that a logarithm covers coarsely, and within the error of the last rung. */
const COARSE_RANGE = 4096;
const FINE_RANGE = 512;

/** Where the logits of a row lie, in nats: relative to its pivot, and how far apart they are. */
export interface LogitSpan {
  /** Key 0 is the pivot; else the row's own diagonal. */
  readonly keyPivot: boolean;
  readonly low: number;
  readonly high: number;
  readonly spread: number;
}

/** Of the two pivots (key 0 only where it is always in sight) the one that takes fewer rungs, then the shorter interval. */
export function logitSpan(range: SiteRange, keyCount: number, keyInSight: boolean): LogitSpan {
  const { low = -1, high = 1, spread = high - low, diagonalLow = low, diagonalHigh = high } = range;
  const diagonal: LogitSpan = { keyPivot: false, low: diagonalLow, high: Math.max(0, diagonalHigh), spread };
  if (!keyInSight) return diagonal;
  const key: LogitSpan = { keyPivot: true, low, high: Math.max(0, high), spread };
  const rungs = ({ high: top }: LogitSpan): number => ladderTemperatures(top, keyCount).length;
  const fewer = rungs(diagonal) - rungs(key);
  if (fewer !== 0) return fewer < 0 ? diagonal : key;
  return diagonal.high - diagonal.low < key.high - key.low ? diagonal : key;
}

/**
 * t_1 > ... > 1, each half of the one before, such that the sums of all rungs have dynamic ranges that a logarithm covers. Throws
 * RingBudgetError for as many keys as that range or more, which no temperature makes fewer.
 */
export function ladderTemperatures(high: number, keyCount: number): number[] {
  if (keyCount >= COARSE_RANGE)
    throw new RingBudgetError(`expected a session of at most ${COARSE_RANGE / 2} rows, got one of up to ${keyCount}`);
  const range = (t: number): number => keyCount * Math.exp(high / t);
  let first = 1;
  while (range(first) > (first === 1 ? FINE_RANGE : COARSE_RANGE)) first *= 2;
  const ladder: number[] = [];
  for (let t = first; t >= 1; t /= 2) ladder.push(t);
  return ladder;
}

/** Temperatures are cut to this, so that every machine has the same ones. */
const TEMPERATURE_STEP = 1 / 16;
/** A rung's sum may span half of what a logarithm covers: errors of the rung before take the rest. */
const WIDE_RANGE = COARSE_RANGE / 2;

/**
 * t_1 > ... > 1 with as few rungs as logarithms cover, each as far below the one before as they allow, so that the last step is the
 * smallest: what the weights of a row sum up to lies in [keyCount^(1 - t), 1] where t is the last but one. Throws RingBudgetError as above.
 */
export function wideTemperatures(high: number, keyCount: number): number[] {
  const halving = ladderTemperatures(high, keyCount);
  if (halving.length === 1) return halving;
  const up = (t: number): number => Math.max(1 + TEMPERATURE_STEP, Math.ceil(t / TEMPERATURE_STEP) * TEMPERATURE_STEP);
  const ladder = [up(high / Math.log(COARSE_RANGE / keyCount))];
  const ratio = 1 + Math.log(WIDE_RANGE) / Math.log(keyCount);
  // The last step is at most a halving, whose sums the factor's series covers.
  while (ladder[ladder.length - 1] > 2) ladder.push(up(ladder[ladder.length - 1] / ratio));
  // A single rung needs no more terms than up to FINE_RANGE where the last step has room.
  while (ladder.length === 1 && ladder[0] < 2 && keyCount * Math.exp(high / ladder[0]) > FINE_RANGE)
    ladder[0] += TEMPERATURE_STEP;
  return [...ladder, 1];
}

/**
 * What each exp must cover and how exact it must be: one a rung, then the weights, whose wire has `mixBits`.
 * A rung of t leaves L = t log(sum exp(x / t)) wrong by t * COARSE_ERROR at most; the next sum, at t / 2, is off by twice that in the
 * exponent, and lies in [1 / keyCount, 1] otherwise.
 */
export function ladderDemands(
  precision: Precision,
  span: LogitSpan,
  ladder: readonly number[],
  keyCount: number,
  mixBits: number,
): ExpDemand[] {
  const { spread } = span;
  const demands = rungDemands(precision, span, ladder, keyCount);
  const { weightFracBits, softmaxBits } = precision;
  demands.push({
    temperature: 1,
    low: -spread - Math.log(keyCount) - ROUNDING_ROOM,
    high: ROUNDING_ROOM,
    absoluteBits: weightFracBits + 1,
    relativeBits: softmaxBits,
    opened: { fracBits: weightFracBits, bits: mixBits },
    sum: null,
  });
  return demands;
}

/** The same for the sums alone. */
function rungDemands(
  precision: Precision,
  { low, high, spread }: LogitSpan,
  ladder: readonly number[],
  keyCount: number,
): ExpDemand[] {
  const growth = 0.5 * Math.log2(keyCount); // bits by which the errors of a row's entries add up
  return ladder.map((t, rung): ExpDemand => {
    const last = rung === ladder.length - 1;
    const bits = last ? precision.softmaxBits : precision.rungBits;
    const first = rung === 0;
    const before = first ? 0 : ladder[rung - 1];
    const step = before / t;
    const drift = Math.exp(step * COARSE_ERROR);
    const room = ROUNDING_ROOM + before * COARSE_ERROR;
    const [from, to] = first
      ? [0.9, keyCount * Math.exp(high / t) * 1.1]
      : [0.95 / drift / keyCount ** (step - 1), 1.1 * drift];
    const inputFracBits = bits - Math.floor(Math.log2(from));
    return {
      temperature: t,
      low: (first ? low : -spread - before * Math.log(keyCount)) - room,
      high: (first ? high : 0) + room,
      absoluteBits: Math.ceil(bits - Math.log2(from) + growth - 2),
      relativeBits: bits,
      opened: { fracBits: inputFracBits, bits: Math.ceil(Math.log2(2 * to)) + inputFracBits },
      sum: { from, to, bits, maxError: last ? 2 ** -(precision.softmaxBits + 1) : COARSE_LOG_ERROR },
    };
  });
}

/**
 * The same where the last rung's exponentials are the weights, taken to the product with the values as they are (late-normalisation.ts):
 * in units of the largest sum that they may have, which is then `top`. `mixBits`: of the weights' wire, for what their sum may be.
 */
export function lateDemands(
  precision: Precision,
  span: LogitSpan,
  ladder: readonly number[],
  keyCount: number,
  mixBits: (sum: LateSum) => number,
): { readonly demands: ExpDemand[]; readonly sum: LateSum; readonly top: number } {
  const demands = rungDemands(precision, span, ladder, keyCount);
  const last = demands[demands.length - 1];
  const { from, to, bits } = last.sum!;
  // The level before takes it off; the first rung has none.
  const top = ladder.length > 1 ? to : 1;
  const sum: LateSum = { from: from / top, to: to / top, bits };
  const fracBits = precision.weightFracBits + lateBits(sum);
  demands[demands.length - 1] = {
    ...last,
    low: last.low - Math.log(top),
    absoluteBits: Math.max(last.absoluteBits, fracBits + 1),
    opened: { fracBits, bits: mixBits(sum) },
  };
  return { demands, sum, top };
}
