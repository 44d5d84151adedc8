import { MAX_RING_BITS } from "../../../shares/words.ts";
import { MOST_INDEX_BITS } from "../plan/plan-limits.ts";
import { RingBudgetError } from "../plan/ring-budget-error.ts";
import { expPrecision, roundingError } from "../fit/exp-precision.ts";
import { bitsAbove } from "./lowering.ts";

/** What one exp of a softmax must cover, in nats, and how exact it must be. */
export interface ExpDemand {
  readonly temperature: number;
  readonly low: number;
  readonly high: number;
  /** Root mean square error of an entry: that of rounding it to absoluteBits, or its logarithm (base e) to relativeBits. */
  readonly absoluteBits: number;
  readonly relativeBits: number;
  /** The wire that its result (or the sum of a row) goes into. */
  readonly opened: { readonly fracBits: number; readonly bits: number };
  /** Interval, precision and series of a rung's sum; null for the weights. */
  readonly sum: {
    readonly from: number;
    readonly to: number;
    readonly bits: number;
    readonly maxError: number;
  } | null;
}

/** Parameters of one exp gate. `from` is in the units of the wire. */
export interface ExpChoice {
  readonly from: number;
  readonly windows: number;
  readonly tableFracBits: number;
  readonly wordFracBits: number;
}

/**
 * The shortest period (log2, in units of the wire) and the fewest windows for each exp that reads it.
 *
 * An exp with W windows covers the share 1 - 1/W of the period. A window of w nats needs w log2(e) bits more in its public table than
 * the relative precision, and W words are dealt an entry: few wide windows cost the fewest bits, as long as the ring holds them (exp-precision.ts).
 * Throws RingBudgetError where no period fits, or the wire would be wider than a table is.
 */
export function chooseExps(
  demands: readonly ExpDemand[],
  { scale, fracBits }: { readonly scale: number; readonly fracBits: number },
): { readonly periodBits: number; readonly exps: readonly ExpChoice[] } {
  const shortest = Math.max(1 - fracBits, ...demands.map(({ low, high }) => bitsAbove((high - low) / scale)));
  for (let periodBits = shortest; periodBits <= shortest + 1; periodBits++) {
    if (periodBits + fracBits > MOST_INDEX_BITS) break;
    const exps = demands.map((demand) => cheapest(demand, periodBits, scale, fracBits));
    if (exps.every((choice) => choice !== null)) return { periodBits, exps };
  }
  const span = Math.max(...demands.map(({ low, high }) => high - low));
  throw new RingBudgetError(
    `expected logits whose exponentials fit into ${MAX_RING_BITS} bits and a table of 2^${MOST_INDEX_BITS} entries, got a span of ${Number(span.toPrecision(4))} nats, which takes a wire of ${shortest + fracBits} bits`,
  );
}

const WINDOWS = [2, 3, 4, 5, 6, 7, 8, 12, 16, 32] as const;

function cheapest(demand: ExpDemand, periodBits: number, scale: number, fracBits: number): ExpChoice | null {
  const period = 2 ** periodBits * scale; // nats
  let best: { choice: ExpChoice; dealtBits: number } | null = null;
  for (const windows of WINDOWS) {
    const span = period * (1 - 1 / windows);
    const units = 2 ** (periodBits + fracBits);
    const isCut = units >= 2 * windows && Math.ceil(units / windows) * (windows - 1) < units;
    if (span < demand.high - demand.low || !isCut) continue;
    const { tableFracBits, wordFracBits } = expPrecision({
      height: period / windows / demand.temperature,
      absoluteError: roundingError(demand.absoluteBits),
      relativeError: roundingError(demand.relativeBits),
    });
    const ring = demand.opened.bits + tableFracBits + wordFracBits - demand.opened.fracBits;
    if (ring > MAX_RING_BITS || (best !== null && best.dealtBits <= windows * ring)) continue;
    // What is left of the interval is shared between its ends.
    const from = (demand.low - (span - (demand.high - demand.low)) / 2) / scale;
    best = { choice: { from, windows, tableFracBits, wordFracBits }, dealtBits: windows * ring };
  }
  return best?.choice ?? null;
}
