import type { KeyPage } from "../sums/candidate-keys.ts";

/** What a party saw of a position whose row it didn't see. */
export interface PositionEvidence {
  /** Numbers that a right token brings to zero; 0: nothing can be said. */
  readonly freedom: number;
  /** What tokens leave unexplained, root mean square over `freedom`, [tokens]; `candidates`: their k and v rows [tokens, kvHeads·headDim]. */
  misfits(candidates: KeyPage): Float64Array;
}

/** The position's own key and value rows, as an AttnNode of a coalition received them. */
export function seenKeys(seen: KeyPage): PositionEvidence {
  const sizes = { k: rms(seen.k), v: rms(seen.v) };
  const width = seen.k.length;
  return {
    freedom: 2 * width,
    misfits({ k, v }) {
      return Float64Array.from({ length: k.length / width }, (_, token) => {
        let sum = 0;
        for (let i = 0; i < width; i++) {
          sum += ((k[token * width + i] - seen.k[i]) / sizes.k) ** 2;
          sum += ((v[token * width + i] - seen.v[i]) / sizes.v) ** 2;
        }
        return Math.sqrt(sum / (2 * width));
      });
    },
  };
}

const rms = (row: Float32Array): number => Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / row.length);
