import { BoundedMemo } from "../../bounded-memo.ts";
import { sineAndCosine } from "../factors/sine-and-cosine.ts";

interface Turns {
  readonly cos: Float64Array;
  readonly sin: Float64Array;
}

/** A size takes 8 bytes a point. */
const turns = new BoundedMemo<Turns>(2 ** 20, ({ cos }) => cos.length);

/**
 * X[k] = sum over j of x[j] e^(-2 pi i j k / M), in place: real and imaginary parts [M], M a power of two (Cooley and Tukey,
 * 10.1090/S0025-5718-1965-0178586-1). Additions and products alone, so that every machine has the same bits.
 */
export function fourierTransform(re: Float64Array, im: Float64Array): void {
  const size = re.length;
  reverseBits(re, im);
  const { cos, sin } = turnsOf(size);
  for (let half = 1; half < size; half *= 2) {
    const stride = size / (2 * half);
    for (let from = 0; from < size; from += 2 * half)
      for (let j = 0, at = from, turn = 0; j < half; j++, at++, turn += stride) {
        const other = at + half;
        const a = re[other] * cos[turn] + im[other] * sin[turn];
        const b = im[other] * cos[turn] - re[other] * sin[turn];
        re[other] = re[at] - a;
        im[other] = im[at] - b;
        re[at] += a;
        im[at] += b;
      }
  }
}

function reverseBits(re: Float64Array, im: Float64Array): void {
  const size = re.length;
  for (let i = 1, j = 0; i < size; i++) {
    let bit = size >> 1;
    for (; (j & bit) !== 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i >= j) continue;
    const [a, b] = [re[i], im[i]];
    re[i] = re[j];
    im[i] = im[j];
    re[j] = a;
    im[j] = b;
  }
}

/** Half a turn. */
const turnsOf = (size: number): Turns =>
  turns.get(String(size), () => {
    const [cos, sin] = [new Float64Array(size / 2), new Float64Array(size / 2)];
    for (let i = 0; i < size / 2; i++) ({ cos: cos[i], sin: sin[i] } = sineAndCosine((2 * Math.PI * i) / size));
    return { cos, sin };
  });
