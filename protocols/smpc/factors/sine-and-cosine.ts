/** pi / 2 in two parts (fdlibm, e_rem_pio2.c): 33 bits, so that whole multiples below 2^20 are exact, and the rest. */
const HALF_PI_HIGH = 1.57079632673412561417;
const HALF_PI_LOW = 6.07710050650619224932e-11;
const MAX_QUADRANTS = 2 ** 20;

/**
 * Sine and cosine of an angle in radians by float64 additions, multiplications and divisions alone, so that every machine has the same
 * bits (Math.sin need not be). Within 2^-50 for |angle| below 1.6e6; RangeError beyond.
 */
export function sineAndCosine(angle: number): { readonly sin: number; readonly cos: number } {
  const quadrant = Math.floor(angle / (HALF_PI_HIGH + HALF_PI_LOW) + 0.5);
  if (!(Math.abs(quadrant) < MAX_QUADRANTS))
    throw new RangeError(`angle: expected fewer than 2^20 quarter turns, got ${angle} radians`);
  const rest = angle - quadrant * HALF_PI_HIGH - quadrant * HALF_PI_LOW; // [-pi / 4, pi / 4]
  const square = rest * rest;
  // Taylor series, last term below 2^-54 on the interval.
  let sin = 1;
  for (let k = 16; k >= 2; k -= 2) sin = 1 - (square / (k * (k + 1))) * sin;
  sin *= rest;
  let cos = 1;
  for (let k = 17; k >= 1; k -= 2) cos = 1 - (square / (k * (k + 1))) * cos;
  const turns = ((quadrant % 4) + 4) % 4;
  if (turns === 0) return { sin, cos };
  if (turns === 1) return { sin: cos, cos: -sin };
  if (turns === 2) return { sin: -sin, cos: -cos };
  return { sin: -cos, cos: sin };
}
