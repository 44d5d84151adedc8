import { type Parameters } from "fast-check";

/** Settings of a property run: `numRuns` cases, from the seed in FC_SEED where it is set (fast-check prints seed and path on failure). */
export function runs(numRuns: number): Parameters<unknown> {
  const seed = process.env.FC_SEED;
  return seed === undefined ? { numRuns } : { numRuns, seed: Number(seed) };
}
