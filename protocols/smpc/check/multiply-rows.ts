/**
 * out [rows, columns] = x [rows, inner] times the transpose of y [columns, inner], in float64: four columns at a time, so that x is loaded
 * once for them. For few rows; Float64Product is faster for many.
 */
export function multiplyRows(out: Float64Array, x: Float64Array, y: Float64Array, inner: number): void {
  const rows = x.length / inner;
  const columns = y.length / inner;
  for (let row = 0; row < rows; row++) multiplyRow(out, row * columns, x.subarray(row * inner, (row + 1) * inner), y);
}

/** out[at + column] = x . y[column]. A function of its own so that it is soon compiled. */
function multiplyRow(out: Float64Array, at: number, x: Float64Array, y: Float64Array): void {
  const inner = x.length;
  let from = 0;
  for (; from + 4 * inner <= y.length; from += 4 * inner, at += 4) {
    const [second, third, fourth] = [from + inner, from + 2 * inner, from + 3 * inner];
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let i = 0; i < inner; i++) {
      const value = x[i];
      a += value * y[from + i];
      b += value * y[second + i];
      c += value * y[third + i];
      d += value * y[fourth + i];
    }
    out[at] = a;
    out[at + 1] = b;
    out[at + 2] = c;
    out[at + 3] = d;
  }
  for (; from < y.length; from += inner, at++) {
    let sum = 0;
    for (let i = 0; i < inner; i++) sum += x[i] * y[from + i];
    out[at] = sum;
  }
}
