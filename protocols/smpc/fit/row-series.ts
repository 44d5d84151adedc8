import { FitStore, type FitRequest } from "./fit-store.ts";
import type { SeriesFit } from "./series-fit.ts";
import type { Series } from "./series.ts";
import { trigonometricFit, trigonometricFits, type TrigonometricFit } from "./trigonometric-fit.ts";

/** factor * g(s + shift): g the logarithm, 1 / sqrt or 1 / x. */
export interface RowFunction {
  /** What it computes, for people. */
  readonly name: string;
  readonly kind: RowKind;
  readonly factor: number;
  readonly shift: number;
}

export type RowKind = "log" | "inverseRoot" | "inverse";

export interface RowFit {
  /** Interval in which the argument lies, 0 < from < to. */
  readonly from: number;
  readonly to: number;
  /** Largest error: absolute of a logarithm (of factor 1), relative to the function's value else. */
  readonly maxError: number;
}

const FUNCTIONS: Readonly<Record<RowKind, (x: number) => number>> = {
  log: Math.log,
  inverseRoot: (x) => 1 / Math.sqrt(x),
  inverse: (x) => 1 / x,
};

/** Numbers of harmonics that are tried, fewest first; each harmonic is two dealt words a row. */
const TERMS = [12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384] as const;
/**
 * Where the most of those miss the error by this factor, though the period isn't too long for them: a row's words are few beside its
 * layer's.
 */
const FAR_OFF = 8;
const MORE_TERMS = [512, 640, 768, 1024] as const;
/** Ridges, strongest first: small coefficients need fewer bits in the public table. */
const RIDGES = [1e-8, 1e-11, 1e-14] as const;
/** Of all coefficients together, times the largest value of g on a period of 1: beyond it rounding costs more than the fit gains. */
const LARGEST_SIZE = 64;
/** Errors above this are worth a try with few terms for their interval. */
const COARSE = 0.01;
/** The period leaves this much room above the interval, where the fit is free. */
const ROOM = 1.2;
/**
 * Intervals are widened to classes: `from` to one of eight an octave, `to` to a part of the period. So many layers share a fit, and all
 * machines the classes.
 */
const FROM_CLASSES = 8;
const TO_CLASSES = 64;

/** Of a period of 1; some fifty a model and precision, of up to 24 kB. */
const fitted = new FitStore<TrigonometricFit>("row", trigonometricFit, 1024);
/** A fit that was read is looked at at so many points, where it may be off by this times its error. */
const LOOKED_AT = 16;
const LOOKED_AT_ROOM = 1.05;

/**
 * A function of one number a row on [from, to] as a trigonometric series of a power-of-two period (smpc.md, gate 5): the fewest terms
 * whose error is within `maxError`, else the best of the most terms. 1 / sqrt and 1 / x only change by a factor where a period is scaled, a
 * logarithm by a summand, and a shift turns each harmonic: one fit on a period of 1 serves them all.
 */
export const rowSeries = (f: RowFunction, fit: RowFit): Series => rowFit(f, fit).make();

/** The same before it is fitted. Throws RangeError for an interval that isn't one. */
export function rowFit(f: RowFunction, { from, to, maxError }: RowFit): SeriesFit {
  const { name, kind, shift } = f;
  if (!(0 < from && from < to && to < Infinity))
    throw new RangeError(`${name}: expected an interval 0 < from < to, got [${from}, ${to}]`);
  const periodBits = Math.ceil(Math.log2((to + shift) * ROOM));
  const period = 2 ** periodBits;
  const octave = 2 ** Math.floor(Math.log2((from + shift) / period));
  const interval = {
    from: (Math.floor(((from + shift) / period / octave) * FROM_CLASSES) * octave) / FROM_CLASSES,
    to: Math.ceil(((to + shift) / period) * TO_CLASSES) / TO_CLASSES,
  };
  const request: FitRequest<TrigonometricFit> = {
    key: JSON.stringify([kind, interval.from, interval.to, maxError]),
    make: () => fewestTerms(kind, interval, maxError),
    agrees: (fit) => agrees(kind, interval, fit),
  };
  const scale = f.factor * scaleOf(kind, periodBits);
  return {
    name,
    from,
    to,
    periodBits,
    mostPeriodBits: periodBits,
    mostTerms: Math.max(...MORE_TERMS),
    mostSize: Math.abs(scale) * LARGEST_SIZE * largestValue(kind, interval),
    refusal: null,
    isKept: () => fitted.has(request),
    make() {
      const base = fitted.get(request);
      return { name, periodBits, from, to, ...scaledAndShifted(base, f, periodBits), maxError: base.maxError };
    },
  };
}

/** g(2^bits x) / g(x); of the logarithm, which gets a summand, 1. Roots are exact on every machine. */
function scaleOf(kind: RowKind, bits: number): number {
  if (kind === "log") return 1;
  return kind === "inverse" ? 2 ** -bits : Math.sqrt(2 ** -bits);
}

/** factor * g(s + shift) from the fit of g on a period of 1, s on one of 2^periodBits. */
function scaledAndShifted(
  base: TrigonometricFit,
  { kind, factor, shift }: RowFunction,
  periodBits: number,
): Pick<Series, "constant" | "harmonics" | "cos" | "sin"> {
  const scale = factor * scaleOf(kind, periodBits);
  const summand = kind === "log" ? factor * periodBits * Math.LN2 : 0;
  const angle = (2 * Math.PI * shift) / 2 ** periodBits;
  const turned = base.cos.map((a, at) => {
    const [b, turn] = [base.sin[at], (at + 1) * angle];
    const [c, s] = turn === 0 ? [1, 0] : [Math.cos(turn), Math.sin(turn)];
    return { cos: scale * (a * c + b * s), sin: scale * (b * c - a * s) };
  });
  return {
    constant: scale * base.constant + summand,
    harmonics: turned.map((_, at) => at + 1),
    cos: turned.map(({ cos }) => cos),
    sin: turned.map(({ sin }) => sin),
  };
}

/** Is a fit as near to the function as it says? */
function agrees(kind: RowKind, { from, to }: Interval, { constant, cos, sin, maxError }: TrigonometricFit): boolean {
  if (cos.length !== sin.length || cos.length > Math.max(...MORE_TERMS)) return false;
  for (let i = 0; i < LOOKED_AT; i++) {
    const x = from * (to / from) ** (i / (LOOKED_AT - 1));
    let error = constant - FUNCTIONS[kind](x);
    cos.forEach((a, at) => {
      const angle = 2 * Math.PI * (at + 1) * x;
      error += a * Math.cos(angle) + sin[at] * Math.sin(angle);
    });
    if (!(Math.abs(error) * weightOf(kind)(x) <= LOOKED_AT_ROOM * maxError)) return false;
  }
  return true;
}

/** What an error at x is multiplied by: absolute errors of a logarithm, relative ones else. */
const weightOf = (kind: RowKind): ((x: number) => number) => (kind === "log" ? () => 1 : (x) => 1 / FUNCTIONS[kind](x));

const largestValue = (kind: RowKind, { from, to }: Interval): number =>
  Math.max(Math.abs(FUNCTIONS[kind](from)), Math.abs(FUNCTIONS[kind](to)));

type Interval = Pick<RowFit, "from" | "to">;

function fewestTerms(kind: RowKind, { from, to }: Interval, maxError: number): TrigonometricFit {
  const f = FUNCTIONS[kind];
  const largest = largestValue(kind, { from, to });
  const weight = weightOf(kind);
  let best: TrigonometricFit | null = null;
  const most = TERMS[TERMS.length - 1];
  const wavelengths = 1 / from / 8;
  for (const terms of [...TERMS, ...MORE_TERMS]) {
    // The steep end at `from` needs wavelengths of about its own size; far fewer terms can't reach a fine error, nor yet fewer a coarse one.
    if (terms < (maxError < COARSE ? wavelengths : wavelengths / 8) && terms < most) continue;
    const more = terms > most;
    if (more && best !== null && (wavelengths > 2 * most || best.maxError <= FAR_OFF * maxError)) return best;
    const fitOf = trigonometricFits({ f, from, to, terms, weight });
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
  if (best === null) throw new RangeError(`series: expected a fit on [${from}, ${to}] of the period, got none`);
  return best;
}
