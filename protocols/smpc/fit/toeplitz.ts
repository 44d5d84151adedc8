/** Complex numbers, [length] each. */
export interface ComplexVector {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/**
 * Solves A x = b, A Hermitian and positive definite with A[j][k] = row[k - j] for k >= j: Schur's algorithm gives Cholesky's factor row by
 * row in O(n^2), and as stably (Bojanczyk, Brent, de Hoog, Sweet, 10.1137/S0895479891221563). row[0] is real. Throws RangeError where A
 * isn't positive definite: raise the ridge.
 */
export function solveToeplitz(row: ComplexVector, b: ComplexVector): ComplexVector {
  const size = row.re.length;
  const start = (k: number): number => k * size - (k * (k - 1)) / 2; // of row k of the factor, from its diagonal on
  const factor = { re: new Float64Array(start(size)), im: new Float64Array(start(size)) };
  const y = { re: b.re.slice(), im: b.im.slice() };
  const scale = 1 / Math.sqrt(row.re[0]);
  if (!(scale < Infinity)) throw notPositive();
  const [a, other] = [scaled(row, scale), scaled(row, scale)];
  other.re[0] = other.im[0] = 0;
  for (let k = 0; k < size; k++) {
    keepRow(factor, start(k), a, size - k);
    eliminate(y, k, a);
    if (k + 1 < size) rotate(a, other, k + 1, size);
  }
  substituteBack(factor, start, y);
  return y;
}

const notPositive = (): RangeError =>
  new RangeError("least squares: expected a positive definite system, got another; raise the ridge");

const scaled = ({ re, im }: ComplexVector, by: number): ComplexVector => ({
  re: re.map((value) => value * by),
  im: im.map((value) => value * by),
});

/** Copies the first `length` numbers. */
function keepRow(factor: ComplexVector, at: number, row: ComplexVector, length: number): void {
  factor.re.set(row.re.subarray(0, length), at);
  factor.im.set(row.im.subarray(0, length), at);
}

/** One step of forward substitution with the factor's row k, `row`, conjugated. */
function eliminate(y: ComplexVector, k: number, row: ComplexVector): void {
  const [yRe, yIm] = [(y.re[k] /= row.re[0]), (y.im[k] /= row.re[0])];
  for (let j = k + 1, i = 1; j < y.re.length; j++, i++) {
    y.re[j] -= row.re[i] * yRe + row.im[i] * yIm;
    y.im[j] -= row.re[i] * yIm - row.im[i] * yRe;
  }
}

/**
 * The next two generators: the first one lies one column further on, so a[i] belongs to b[i + 1] in front; a hyperbolic rotation makes
 * the first entry of b 0. a[0 ...] then is the factor's row k.
 */
function rotate(a: ComplexVector, b: ComplexVector, k: number, size: number): void {
  const length = size - k;
  const [rRe, rIm] = [b.re[1] / a.re[0], b.im[1] / a.re[0]];
  const left = 1 - (rRe * rRe + rIm * rIm);
  if (!(left > 0)) throw notPositive();
  const c = Math.sqrt(left);
  for (let i = 0; i < length; i++) {
    const [bRe, bIm] = [b.re[i + 1], b.im[i + 1]];
    const re = (a.re[i] - (rRe * bRe + rIm * bIm)) / c;
    const im = (a.im[i] - (rRe * bIm - rIm * bRe)) / c;
    a.re[i] = re;
    a.im[i] = im;
    b.re[i] = c * bRe - (rRe * re - rIm * im);
    b.im[i] = c * bIm - (rRe * im + rIm * re);
  }
}

function substituteBack(factor: ComplexVector, start: (k: number) => number, y: ComplexVector): void {
  const size = y.re.length;
  for (let k = size - 1; k >= 0; k--) {
    let [re, im] = [y.re[k], y.im[k]];
    for (let j = k + 1, at = start(k) + 1; j < size; j++, at++) {
      re -= factor.re[at] * y.re[j] - factor.im[at] * y.im[j];
      im -= factor.re[at] * y.im[j] + factor.im[at] * y.re[j];
    }
    y.re[k] = re / factor.re[start(k)];
    y.im[k] = im / factor.re[start(k)];
  }
}
