import type { Series } from "./series.ts";

/**
 * A series that may still have to be fitted, which takes up to half a second where its interval is wide: what words and wires can be
 * sized by before.
 * Making it throws RangeError where no series will do.
 */
export interface SeriesFit {
  /** What it computes, for people. */
  readonly name: string;
  readonly from: number;
  readonly to: number;
  /** log2 of the shortest and of the longest period that it may get. */
  readonly periodBits: number;
  readonly mostPeriodBits: number;
  /** Most harmonics, and the largest root of the sum of squares of all coefficients. */
  readonly mostTerms: number;
  readonly mostSize: number;
  /** Why it isn't tried at all; null: it is. */
  readonly refusal: string | null;
  /** Is it fitted already? */
  isKept(): boolean;
  make(): Series;
}

/** A series of no meaning that is as small, or as large, as the fitted one can be: plans are sized by it before anything is fitted. */
export function standIn(fit: SeriesFit, size: "least" | "most"): Series {
  const { name, from, to, periodBits, mostPeriodBits, mostTerms, mostSize } = fit;
  const terms = size === "least" ? 1 : mostTerms;
  const cos = Array.from({ length: terms }, () => 0);
  if (size === "most") cos[0] = mostSize;
  return {
    name,
    periodBits: size === "least" ? periodBits : mostPeriodBits,
    constant: 0,
    harmonics: cos.map((_, at) => at + 1),
    cos,
    sin: cos.map(() => 0),
    from,
    to,
    maxError: 0,
  };
}
