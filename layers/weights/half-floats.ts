/**
 * IEEE binary16 to binary32, as bits, for all 65536 values: one look-up an element is several times faster than arithmetic,
 * and exact down to the payload of a NaN.
 */
const FLOAT16_TO_FLOAT32_BITS = new Uint32Array(65536);
for (let half = 0; half < 65536; half++) {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 31) {
    FLOAT16_TO_FLOAT32_BITS[half] = sign | 0x7f800000 | (fraction << 13);
  } else if (exponent > 0) {
    FLOAT16_TO_FLOAT32_BITS[half] = sign | ((exponent + 112) << 23) | (fraction << 13);
  } else if (fraction > 0) {
    // Subnormal: fraction · 2^-24, a normal number in binary32.
    const shift = Math.clz32(fraction) - 21;
    FLOAT16_TO_FLOAT32_BITS[half] = sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
  } else {
    FLOAT16_TO_FLOAT32_BITS[half] = sign;
  }
}

/** Value of each binary16 bit pattern, [65536]. */
export const FLOAT16_VALUES: Float32Array = new Float32Array(FLOAT16_TO_FLOAT32_BITS.buffer);

/** Decodes binary16 words into `target` from element `at`, exactly. */
export function decodeFloat16(words: Uint16Array, target: Float32Array, at: number): void {
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let i = 0; i < words.length; i++) bits[at + i] = FLOAT16_TO_FLOAT32_BITS[words[i]];
}

/** Decodes bfloat16 words (the upper halves of binary32 words) into `target` from element `at`, exactly. */
export function decodeBfloat16(words: Uint16Array, target: Float32Array, at: number): void {
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let i = 0; i < words.length; i++) bits[at + i] = words[i] << 16;
}
