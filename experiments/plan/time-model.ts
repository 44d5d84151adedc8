import type { CandidateCost } from "./candidate-cost.ts";

/** Seconds that a run is expected to take; other models (measured, overlapping) take the place of this one. */
export interface TimeModel {
  /** What it assumes, for people. */
  readonly assumes: string;
  /** From the first message to the last, start-up and dealing apart. */
  readonly seconds: (cost: CandidateCost) => number;
}

export interface Link {
  /** Round trip. */
  readonly rttMs: number;
  /** Megabits (10^6) a second. */
  readonly mbit: number;
  /** Of floats, in Cascade and at the head. */
  readonly multiplyAddsPerSecond: number;
  /** Of words, under SMPC. */
  readonly wordMultiplyAddsPerSecond: number;
}

/**
 * Rounds, bytes and multiply-adds one after another, nothing overlapping: rounds x round trip + online bytes / bandwidth +
 * multiply-adds / rate, all parties' added up, of floats and of words each at its rate. What is dealt goes ahead and is not counted. An upper bound where the rate holds: a message takes half a round
 * trip, and parties compute beside one another.
 */
export function sumOfParts({ rttMs, mbit, multiplyAddsPerSecond, wordMultiplyAddsPerSecond }: Link): TimeModel {
  return {
    assumes: `rounds x ${rttMs} ms + online bytes at ${mbit} Mbit/s + all parties' multiply-adds, ${multiplyAddsPerSecond.toExponential(1)} of floats and ${wordMultiplyAddsPerSecond.toExponential(1)} of words a second; dealing ahead is not counted`,
    seconds: ({ rounds, onlineBytes, multiplyAdds, smpcMultiplyAdds }) =>
      (rounds * rttMs) / 1000 +
      (onlineBytes * 8) / (mbit * 1e6) +
      (multiplyAdds - smpcMultiplyAdds) / multiplyAddsPerSecond +
      smpcMultiplyAdds / wordMultiplyAddsPerSecond,
  };
}
