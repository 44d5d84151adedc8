import type { CandidateCost } from "./evaluate.ts";

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
  /** Multiply-adds a second, all parties' work one after another. */
  readonly multiplyAddsPerSecond: number;
}

/**
 * Rounds, bytes and multiply-adds one after another, nothing overlapping: rounds x round trip + online bytes / bandwidth +
 * multiply-adds / rate. What is dealt goes ahead and is not counted. An upper bound where the rate holds: a message takes half a round
 * trip, and parties compute beside one another.
 */
export function sumOfParts({ rttMs, mbit, multiplyAddsPerSecond }: Link): TimeModel {
  return {
    assumes: `rounds x ${rttMs} ms + online bytes at ${mbit} Mbit/s + all parties' multiply-adds at ${multiplyAddsPerSecond.toExponential(1)} a second; dealing ahead is not counted`,
    seconds: ({ rounds, onlineBytes, multiplyAdds }) =>
      (rounds * rttMs) / 1000 + (onlineBytes * 8) / (mbit * 1e6) + multiplyAdds / multiplyAddsPerSecond,
  };
}
