import fc from "fast-check";
import type { AttentionSpec } from "../../layers/program.ts";
import type { Tensor } from "../../layers/tensor.ts";

/** One attention: any heads, masks, positions and magnitudes, with the rows shared out over a few shards. */
export interface AttentionCase {
  readonly spec: AttentionSpec;
  readonly queries: readonly number[];
  readonly keys: readonly number[];
  /** Shard of each key. */
  readonly owners: readonly number[];
  /** [queries, heads·headDim], [keys, kvHeads·headDim]; float32 values, so that either word can hold them */
  readonly q: Tensor<Float32Array>;
  readonly k: Tensor<Float32Array>;
  readonly v: Tensor<Float32Array>;
}

const MAX_POSITION = 40;
export const SHARDS = 4;

const positions = (maxLength: number): fc.Arbitrary<number[]> =>
  fc.uniqueArray(fc.nat(MAX_POSITION), { minLength: 1, maxLength });

/** Logits up to `largest` in size: 1e4 is far beyond what exp can hold, so a missing maximum shows. */
export function attentionCase(largest: number): fc.Arbitrary<AttentionCase> {
  return fc
    .record({
      kvHeads: fc.integer({ min: 1, max: 3 }),
      group: fc.integer({ min: 1, max: 3 }),
      headDim: fc.constantFrom(2, 4, 6),
      softCap: fc.option(fc.constantFrom(0.5, 5, 50), { freq: 3 }),
      causal: fc.boolean(),
      window: fc.option(fc.integer({ min: 1, max: 12 }), { freq: 2 }),
      queries: positions(9),
      keys: positions(12),
      magnitude: fc.constantFrom(0, 1e-3, 1, 30, largest),
      seed: fc.nat(),
    })
    .chain(({ kvHeads, group, headDim, softCap, causal, window, queries, keys, magnitude, seed }) => {
      const spec = { heads: kvHeads * group, kvHeads, headDim, scale: 1 / Math.sqrt(headDim), softCap, causal, window };
      return fc.array(fc.nat(SHARDS - 1), { minLength: keys.length, maxLength: keys.length }).map((owners) => {
        const random = generator(seed);
        // |q·k| scale is at most headDim · size² / sqrt(headDim): this size makes it reach the magnitude.
        const size = Math.sqrt(magnitude / Math.sqrt(headDim));
        const matrix = (rows: number, columns: number, most: number): Tensor<Float32Array> => ({
          data: Float32Array.from({ length: rows * columns }, () => most * (2 * random() - 1)),
          shape: [rows, columns],
        });
        return {
          spec,
          queries,
          keys,
          owners,
          q: matrix(queries.length, spec.heads * headDim, size),
          k: matrix(keys.length, kvHeads * headDim, size),
          v: matrix(keys.length, kvHeads * headDim, 3),
        };
      });
    });
}

/** Marsaglia's xorshift32, uniform in [0, 1): values of a case from its seed alone, so that a case prints short. */
function generator(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}

/** Settings of a property run: cases, and the seed in FC_SEED where it is set. fast-check prints seed and path when one fails. */
export const propertyRuns = (numRuns: number): { numRuns: number; seed?: number } =>
  process.env.FC_SEED ? { numRuns, seed: Number(process.env.FC_SEED) } : { numRuns };
