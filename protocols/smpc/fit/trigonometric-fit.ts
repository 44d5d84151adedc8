import { z } from "zod";
import { fourierTransform } from "./fourier-transform.ts";
import { solveToeplitz, type ComplexVector } from "./toeplitz.ts";

/** f on [from, to] as a trigonometric sum of period 1, by regularised least squares. */
export const trigonometricFit = z.strictObject({
  constant: z.number(),
  /** cos[h - 1], sin[h - 1] of harmonic h = 1, 2, ... */
  cos: z.array(z.number()).readonly(),
  sin: z.array(z.number()).readonly(),
  /** Largest weighted error on the interval. */
  maxError: z.number(),
  /** Root of the sum of squares of all coefficients. */
  size: z.number(),
});

export type TrigonometricFit = Readonly<z.infer<typeof trigonometricFit>>;

export interface FitProblem {
  readonly f: (x: number) => number;
  /** Multiples of 2^-k for some k of at most MOST_GRID_BITS; at most 1 apart. */
  readonly from: number;
  readonly to: number;
  readonly terms: number;
  /** What an error at x is multiplied by. */
  readonly weight: (x: number) => number;
}

/** Points of the shortest wave, and up to `from` where it is positive: f may be steep there. */
const POINTS_A_WAVE = 32;
const POINTS_TO_FROM = 24;
const MOST_GRID_BITS = 20;

/**
 * The fit of a problem by its ridge, which is added to the diagonal relative to its mean. The points are those of a grid of the whole
 * period, so that moments and errors are Fourier transforms, and the normal equations of exponentials are a Toeplitz system. The fit
 * throws RangeError where it isn't positive definite at that ridge.
 */
export function trigonometricFits(problem: FitProblem): (ridge: number) => TrigonometricFit {
  const { terms } = problem;
  const samples = sampled(problem);
  const { squares, right } = moments(samples, terms);
  const system: ComplexVector = { re: squares.re.slice(), im: squares.im };
  return (ridge) => {
    system.re[0] = squares.re[0] * (1 + ridge);
    const solution = solveToeplitz(system, right); // of e^(2 pi i h x), h = -terms ... terms
    const [cos, sin] = [new Float64Array(terms), new Float64Array(terms)];
    for (let h = 1; h <= terms; h++) {
      cos[h - 1] = solution.re[terms + h] + solution.re[terms - h];
      sin[h - 1] = solution.im[terms - h] - solution.im[terms + h];
    }
    const constant = solution.re[terms];
    const maxError = largestError(samples, constant, cos, sin);
    return { constant, cos: [...cos], sin: [...sin], maxError, size: Math.hypot(...cos, ...sin) };
  };
}

/** f and weights at the points first, first + 1, ... of a grid of `size` points in [0, 1). */
interface Samples {
  readonly size: number;
  readonly first: number;
  readonly values: Float64Array;
  readonly weights: Float64Array;
  /** Half of the points count evenly, half (where `from` is positive) evenly in log x, as if they lay so. */
  readonly density: Float64Array;
}

function sampled({ f, from, to, terms, weight }: FitProblem): Samples {
  const least = Math.max(POINTS_A_WAVE * terms, from > 0 ? POINTS_TO_FROM / from : 0);
  const bits = Math.min(MOST_GRID_BITS, Math.ceil(Math.log2(least)));
  const size = 2 ** bits;
  const [first, last] = [from * size, to * size];
  if (!Number.isInteger(first) || !Number.isInteger(last))
    throw new RangeError(`series: expected an interval on the grid of 2^-${bits}, got [${from}, ${to}]`);
  const xs = Float64Array.from({ length: last - first + 1 }, (_, i) => (first + i) / size);
  const steepness = from > 0 ? (to - from) / Math.log(to / from) : 0;
  return {
    size,
    first,
    values: xs.map(f),
    weights: xs.map(weight),
    density: xs.map((x) => (from > 0 ? (1 + steepness / x) / 2 : 1)),
  };
}

/** Sums of w^2 e^(2 pi i m x), m = 0 ... 2 terms, and of w^2 f e^(-2 pi i h x), h = -terms ... terms. */
function moments(
  { size, first, values, weights, density }: Samples,
  terms: number,
): { squares: ComplexVector; right: ComplexVector } {
  const [re, im] = [new Float64Array(size), new Float64Array(size)];
  for (let i = 0; i < values.length; i++) {
    const at = (first + i) & (size - 1);
    const square = density[i] * weights[i] * weights[i];
    re[at] = square;
    im[at] = square * values[i];
  }
  fourierTransform(re, im);
  // Of re + i im the transform is A + i B, both of real numbers: A[-k] is conjugate to A[k].
  const length = 2 * terms + 1;
  const squares = { re: new Float64Array(length), im: new Float64Array(length) };
  const right = { re: new Float64Array(length), im: new Float64Array(length) };
  for (let m = 0; m < length; m++) {
    const [k, other] = [m, (size - m) & (size - 1)];
    squares.re[m] = (re[k] + re[other]) / 2;
    squares.im[m] = -(im[k] - im[other]) / 2;
  }
  for (let h = -terms; h <= terms; h++) {
    const [k, other] = [(size + h) & (size - 1), (size - h) & (size - 1)];
    right.re[h + terms] = (im[k] + im[other]) / 2;
    right.im[h + terms] = -(re[k] - re[other]) / 2;
  }
  return { squares, right };
}

/** The largest weighted error at the points. */
function largestError(
  { size, first, values, weights }: Samples,
  constant: number,
  cos: Float64Array,
  sin: Float64Array,
): number {
  const [re, im] = [new Float64Array(size), new Float64Array(size)];
  re[0] = constant;
  cos.forEach((value, at) => (re[at + 1] = value));
  sin.forEach((value, at) => (im[at + 1] = value)); // (a + i b) e^(-i t) has the real part a cos t + b sin t
  fourierTransform(re, im);
  let largest = 0;
  for (let i = 0; i < values.length; i++)
    largest = Math.max(largest, Math.abs(re[(first + i) & (size - 1)] - values[i]) * weights[i]);
  return largest;
}
