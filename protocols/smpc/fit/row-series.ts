import { BoundedMemo } from "../../bounded-memo.ts";
import type { SeriesFit } from "./series-fit.ts";
import type { Series } from "./series.ts";
import { trigonometricFits, type TrigonometricFit } from "./trigonometric-fit.ts";

export interface RowFit {
  /** Interval in which the argument lies, 0 < from < to. */
  readonly from: number;
  readonly to: number;
  /** Largest error: relative to the function's value, or absolute. */
  readonly maxError: number;
  readonly relative: boolean;
}

/** Numbers of harmonics that are tried, fewest first; each harmonic is two dealt words a row. */
const TERMS = [12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384] as const;
/**
 * Where the most of those miss the error by this factor, though the period isn't too long for them: a row's words are few beside its
 * layer's, but a fit of 1024 terms takes seconds.
 */
const FAR_OFF = 8;
const MORE_TERMS = [768, 1024] as const;
/** Ridges, strongest first: small coefficients need fewer bits in the public table. */
const RIDGES = [1e-8, 1e-11, 1e-14] as const;
/** Of all coefficients together, times the largest value of f: beyond it rounding costs more than the fit gains. */
const LARGEST_SIZE = 64;
/** Errors above this are worth a try with few terms. */
const COARSE = 0.01;
/** The period leaves this much room above the interval, where the fit is free. */
const ROOM = 1.2;

/** Some ten a layer and precision, of up to 24 kB. */
const fitted = new BoundedMemo<Series>(1024);

/**
 * A function of one number a row (rsqrt, log, 1/x) on [from, to] as a trigonometric series of a power-of-two period (smpc.md, gate 5):
 * the fewest terms whose error is within `maxError`, else the best of the most terms. `name` identifies f: equal names and fits
 * give the same series.
 */
export const rowSeries = (name: string, f: (x: number) => number, fit: RowFit): Series => rowFit(name, f, fit).make();

/** The same before it is fitted. Throws RangeError for an interval that isn't one. */
export function rowFit(name: string, f: (x: number) => number, fit: RowFit): SeriesFit {
  const { from, to, maxError, relative } = fit;
  if (!(0 < from && from < to && to < Infinity))
    throw new RangeError(`${name}: expected an interval 0 < from < to, got [${from}, ${to}]`);
  const key = JSON.stringify([name, from, to, maxError, relative, f(from), f(to)]);
  const periodBits = Math.ceil(Math.log2(to * ROOM));
  const make = (): Series => {
    const best = fewestTerms(f, fit, 2 ** periodBits);
    const harmonics = best.cos.map((_, at) => at + 1);
    const { constant, cos, sin, maxError: error } = best;
    return { name, periodBits, constant, harmonics, cos, sin, from, to, maxError: error };
  };
  return {
    name,
    from,
    to,
    periodBits,
    mostPeriodBits: periodBits,
    mostTerms: Math.max(...MORE_TERMS),
    mostSize: LARGEST_SIZE * largestValue(f, fit),
    refusal: null,
    isKept: () => fitted.has(key),
    make: () => fitted.get(key, make),
  };
}

const largestValue = (f: (x: number) => number, { from, to }: RowFit): number =>
  Math.max(Math.abs(f(from)), Math.abs(f(to)));

function fewestTerms(f: (x: number) => number, fit: RowFit, period: number): TrigonometricFit {
  const { from, to, maxError, relative } = fit;
  const largest = largestValue(f, fit);
  const weight = relative ? (x: number): number => 1 / Math.abs(f(x)) : (): number => 1;
  let best: TrigonometricFit | null = null;
  const most = TERMS[TERMS.length - 1];
  const wavelengths = period / from / 8;
  for (const terms of [...TERMS, ...MORE_TERMS]) {
    // The steep end at `from` needs wavelengths of about its own size; far fewer terms can't reach a fine error.
    if (maxError < COARSE && terms < wavelengths && terms < most) continue;
    const more = terms > most;
    if (more && best !== null && (wavelengths > 2 * most || best.maxError <= FAR_OFF * maxError)) return best;
    const fitOf = trigonometricFits({ f, from, to, period, terms, odd: false, weight });
    for (const ridge of more ? RIDGES.slice(1, 2) : RIDGES) {
      let candidate: TrigonometricFit;
      try {
        candidate = fitOf(ridge);
      } catch (error) {
        if (error instanceof RangeError) continue; // not positive definite at this ridge
        throw error;
      }
      if (candidate.size > LARGEST_SIZE * largest) break; // weaker ridges only make it larger
      if (best === null || candidate.maxError < best.maxError) best = candidate;
      if (best.maxError <= maxError) return best;
    }
  }
  if (best === null) throw new RangeError(`series: expected a fit on [${from}, ${to}], got none`);
  return best;
}

/** factor * f of the series of f. */
export function scaledSeries(series: Series, factor: number): Series {
  const times = (value: number): number => value * factor;
  return {
    ...series,
    name: `${factor} ${series.name}`,
    constant: times(series.constant),
    cos: series.cos.map(times),
    sin: series.sin.map(times),
    maxError: Math.abs(factor) * series.maxError,
  };
}
