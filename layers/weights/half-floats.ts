let bits: Uint32Array | null = null;
let values: Float32Array | null = null;

/**
 * IEEE binary16 to binary32, as bits, for all 65536 values: one look-up an element is several times faster than arithmetic, and exact
 * down to the payload of a NaN. Made when it is first used: most parties read no weights.
 */
function float16Bits(): Uint32Array {
  if (bits !== null) return bits;
  bits = new Uint32Array(65536);
  for (let half = 0; half < 65536; half++) {
    const sign = (half & 0x8000) << 16;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 31) {
      bits[half] = sign | 0x7f800000 | (fraction << 13);
    } else if (exponent > 0) {
      bits[half] = sign | ((exponent + 112) << 23) | (fraction << 13);
    } else if (fraction > 0) {
      // Subnormal: fraction · 2^-24, a normal number in binary32.
      const shift = Math.clz32(fraction) - 21;
      bits[half] = sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
    } else {
      bits[half] = sign;
    }
  }
  return bits;
}

/** The value of a binary16 bit pattern. */
export const float16Value = (half: number): number => (values ??= new Float32Array(float16Bits().buffer))[half];

/** Decodes binary16 words into `target` from element `at`, exactly. */
export function decodeFloat16(words: Uint16Array, target: Float32Array, at: number): void {
  const decoded = new Uint32Array(target.buffer, target.byteOffset, target.length);
  const table = float16Bits();
  for (let i = 0; i < words.length; i++) decoded[at + i] = table[words[i]];
}

/** Decodes bfloat16 words (the upper halves of binary32 words) into `target` from element `at`, exactly. */
export function decodeBfloat16(words: Uint16Array, target: Float32Array, at: number): void {
  const decoded = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let i = 0; i < words.length; i++) decoded[at + i] = words[i] << 16;
}
