/** Confidence intervals over prompts, and a seeded source of chance for experiments (never for secrets). */
import { createHash } from "node:crypto";

export interface Interval {
  readonly mean: number;
  /** 95 % by the percentile bootstrap over prompts. */
  readonly low: number;
  readonly high: number;
  /** Prompts. */
  readonly n: number;
}

const RESAMPLES = 2000;

/** Mean of one value a prompt with its 95 % percentile-bootstrap interval (Efron 1979); NaN throughout for none. */
export function bootstrapInterval(values: readonly number[], seed: number): Interval {
  const n = values.length;
  if (n === 0) return { mean: NaN, low: NaN, high: NaN, n };
  const chance = seededChance(seed);
  const means = Array.from({ length: RESAMPLES }, () => {
    let sum = 0;
    for (let draw = 0; draw < n; draw++) sum += values[Math.floor(chance() * n)];
    return sum / n;
  }).sort((a, b) => a - b);
  const at = (share: number): number => means[Math.min(RESAMPLES - 1, Math.floor(share * RESAMPLES))];
  return { mean: values.reduce((a, b) => a + b, 0) / n, low: at(0.025), high: at(0.975), n };
}

/** Numbers in [0, 1) that depend on the seed alone (xoshiro128**, seeded by SHA-256). Not for secrets. */
export function seededChance(seed: number | string): () => number {
  const words = new Uint32Array(new Uint8Array(createHash("sha256").update(String(seed)).digest()).buffer, 0, 4);
  const rotate = (x: number, bits: number): number => (x << bits) | (x >>> (32 - bits));
  return () => {
    const result = Math.imul(rotate(Math.imul(words[1], 5), 7), 9) >>> 0;
    const shifted = words[1] << 9;
    words[2] ^= words[0];
    words[3] ^= words[1];
    words[1] ^= words[2];
    words[0] ^= words[3];
    words[2] ^= shifted;
    words[3] = rotate(words[3], 11);
    return result / 2 ** 32;
  };
}
