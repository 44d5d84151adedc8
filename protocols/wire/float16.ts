/** IEEE 754 binary16 on the wire: rounded to nearest even by the sender, widened exactly to float32 by the receiver. */

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** The binary16 word nearest to `value` (ties to even; NaN stays NaN, 65520 and more become Infinity). A float64 is rounded to float32 first. */
export function float16Bits(value: number): number {
  scratch[0] = value;
  const bits = scratchBits[0];
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x47800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (magnitude < 0x38800000) {
    // Below 2^-14 the word counts units of 2^-24, which is the spacing of float32 just above 0.5: the addition rounds for us.
    scratchBits[0] = magnitude;
    scratch[0] += 0.5;
    return sign | (scratchBits[0] - 0x3f000000);
  }
  // Rebias the exponent (15 - 127), add half a unit less the parity bit, drop 13 bits; a carry moves into the exponent as it should.
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

let widened: Float32Array | null = null;

/** float32 of each of the 65 536 words: 256 KiB, made when first needed. */
function wideningTable(): Float32Array {
  if (widened) return widened;
  const table = new Float32Array(65_536);
  for (let word = 0; word < 65_536; word++) {
    const exponent = (word >>> 10) & 31;
    const fraction = word & 1023;
    const magnitude =
      exponent === 31
        ? fraction === 0
          ? Infinity
          : NaN
        : exponent === 0
          ? fraction * 2 ** -24
          : (1 + fraction / 1024) * 2 ** (exponent - 15);
    table[word] = word & 0x8000 ? -magnitude : magnitude;
  }
  widened = table;
  return table;
}

/** The largest finite value of binary16. */
export const MAX_FLOAT16 = 65_504;

/** The index of the first finite value that binary16 would make infinite; -1 where there is none. */
export function beyondFloat16(values: ArrayLike<number>): number {
  for (let i = 0; i < values.length; i++) {
    const magnitude = Math.abs(values[i]);
    if (Math.fround(magnitude) >= 65_520 && magnitude < Infinity) return i;
  }
  return -1;
}

/** Rounds `source` into the words of `target`, of the same length. */
export function roundToFloat16(source: ArrayLike<number>, target: Uint16Array): void {
  for (let i = 0; i < target.length; i++) target[i] = float16Bits(source[i]);
}

/** The float32 values of binary16 words, exactly. */
export function widenFloat16(words: Uint16Array): Float32Array {
  const table = wideningTable();
  const values = new Float32Array(words.length);
  for (let i = 0; i < values.length; i++) values[i] = table[words[i]];
  return values;
}
