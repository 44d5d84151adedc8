/** Of a rounding to whole units: the root mean square error. */
const ROUNDING = Math.sqrt(1 / 12);

export interface ExpErrors {
  /** Height of a window: how far the exponent falls from its top to its bottom, in nats. */
  readonly height: number;
  /** Root mean square errors that the rounding of words, and that of the table, may make: absolute, and relative to the result. */
  readonly absoluteError: number;
  readonly relativeError: number;
}

/**
 * The fewest fractional bits of an exp's words and table for given errors. The result is a word e^(x + d) times a table entry e^-d, where
 * d, how far the public X' lies below the top of its window, is uniform on [0, h), h the window's height, because X' is uniform. Let
 * rho^2 = mean of e^-2d = (1 - e^-2h) / 2h.
 *
 *   Word: off by 2^-word / sqrt(12), times e^-d: 2^-word rho / sqrt(12) absolute. At most half a unit, at the top of a window.
 *   Table: off by 2^-table / sqrt(12), times e^(x + d): mean of e^2d = e^2h rho^2, so 2^-table e^h rho / sqrt(12) relative to e^x. At
 *   most half a unit times e^h, at the bottom of a window.
 *
 * So a window of h nats costs h log2(e) bits of the table, and a high window a few bits less of both than its worst entries suggest: 2.5
 * for 16 nats. Dealt are W words of (bits of the wire that reads the result) + table + word - (that wire's fractional bits), where W h is
 * the period: weights that are opened at 24 bits, 12 of them fractional, take 3 * 63 bits an entry in windows of 21.3 nats, 4 * 55 in
 * windows of 16, 8 * 44 in windows of 8.
 */
export function expPrecision({ height, absoluteError, relativeError }: ExpErrors): {
  readonly tableFracBits: number;
  readonly wordFracBits: number;
} {
  const rho = Math.sqrt(-Math.expm1(-2 * height) / (2 * height));
  return {
    tableFracBits: Math.max(1, Math.ceil(height * Math.LOG2E + Math.log2((rho * ROUNDING) / relativeError))),
    wordFracBits: Math.max(0, Math.ceil(Math.log2((rho * ROUNDING) / absoluteError))),
  };
}

/** The root mean square error of a number that is rounded to so many fractional bits. */
export const roundingError = (fracBits: number): number => ROUNDING * 2 ** -fracBits;
