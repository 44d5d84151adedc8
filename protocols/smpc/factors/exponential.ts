/** log(2) in two parts (fdlibm, e_exp.c): 33 bits, so that whole multiples below 2^20 are exact, and the rest. */
const LN2_HIGH = 6.9314718036912381649e-1;
const LN2_LOW = 1.90821492927058770002e-10;
const MAX_EXPONENT = 700;

/**
 * e^x by float64 additions, multiplications and divisions alone, so that every machine has the same bits (Math.exp need not be).
 * Relative error below 2^-50 for |x| <= 700; RangeError beyond.
 */
export function exponential(x: number): number {
  if (!(Math.abs(x) <= MAX_EXPONENT)) throw new RangeError(`exponential: expected at most 700 either way, got ${x}`);
  const power = Math.floor(x / (LN2_HIGH + LN2_LOW) + 0.5);
  const rest = x - power * LN2_HIGH - power * LN2_LOW; // at most log(2) / 2
  // Taylor series, last term below 2^-57 on the interval.
  let sum = 1;
  for (let k = 14; k >= 1; k--) sum = 1 + (rest / k) * sum;
  // A power of two by squaring: exact.
  let scale = 1;
  for (let bit = Math.abs(power), base = power < 0 ? 0.5 : 2; bit > 0; bit >>= 1, base *= base)
    if (bit & 1) scale *= base;
  return sum * scale;
}
