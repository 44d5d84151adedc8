import { BoundedMemo } from "../../bounded-memo.ts";
import type { SeriesFit } from "./series-fit.ts";
import type { Series } from "./series.ts";
import { trigonometricFits, type TrigonometricFit } from "./trigonometric-fit.ts";

const TERMS = [8, 12, 16, 24, 32, 48, 64] as const;
/** Error of the series relative to the cap. */
const MAX_ERROR = 2e-5;
const RIDGE = 1e-12;
/** The period is at least this many bounds: beyond them the fit is free to turn round. */
const ROOM = 3;
/** Of a period: bounds are widened to such parts of it. */
const CLASSES = 64;

const fitted = new BoundedMemo<Series>(256);

/** cap * tanh(scale * x / cap) on [-bound, bound] as a sum of sines: odd, one opening (smpc.md, gate 4). */
export const tanhSeries = (cap: number, scale: number, bound: number): Series => tanhFit(cap, scale, bound).make();

/** The same before it is fitted. */
export function tanhFit(cap: number, scale: number, bound: number): SeriesFit {
  const key = JSON.stringify([cap, scale, bound]);
  const name = `${cap} tanh(${scale} x / ${cap})`;
  const periodBits = Math.ceil(Math.log2(ROOM * bound));
  const period = 2 ** periodBits;
  const covered = Math.ceil((bound / period) * CLASSES) / CLASSES; // of a period of 1
  const make = (): Series => {
    const f = (x: number): number => cap * Math.tanh((scale * x * period) / cap);
    let best: TrigonometricFit | null = null;
    for (const terms of TERMS) {
      best = trigonometricFits({ f, from: -covered, to: covered, terms, weight: () => 1 })(RIDGE);
      if (best.maxError <= MAX_ERROR * cap) break;
    }
    // Of an odd function the constant and the cosines are 0, but for rounding.
    const { sin, maxError } = best!;
    const harmonics = sin.map((_, at) => at + 1);
    const cos = sin.map(() => 0);
    return { name, periodBits, constant: 0, harmonics, cos, sin, from: -bound, to: bound, maxError };
  };
  return {
    name,
    from: -bound,
    to: bound,
    periodBits,
    mostPeriodBits: periodBits,
    mostTerms: Math.max(...TERMS),
    // Its words and table have bits of their own (Precision), whatever it comes to.
    mostSize: cap,
    refusal: null,
    isKept: () => fitted.has(key),
    make: () => fitted.get(key, make),
  };
}
