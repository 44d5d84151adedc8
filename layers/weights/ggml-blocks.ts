import { decodeBfloat16, decodeFloat16, float16Value } from "./half-floats.ts";

/**
 * The block formats of ggml (ggml-common.h, ggml-quants.c) that are supported, and their decoding to float32. Every product and
 * sum is rounded to float32 in the order of dequantize_row_* in ggml-quants.c, so that the values equal those of the Python
 * package gguf to the bit.
 */
export interface BlockFormat {
  readonly name: string;
  /** Elements of one block; a row holds whole blocks. */
  readonly elements: number;
  readonly bytes: number;
  /** Decodes `count` blocks from the start of `source` (whose buffer it begins) to `target` from element `at`. */
  readonly decode: (source: Uint8Array<ArrayBuffer>, count: number, target: Float32Array, at: number) => void;
}

const fround = Math.fround;

/** Elements of a super-block (QK_K). */
const SUPER = 256;

/** By the number that a GGUF file stores (enum ggml_type). */
export const BLOCK_FORMATS: ReadonlyMap<number, BlockFormat> = new Map<number, BlockFormat>([
  [0, { name: "F32", elements: 1, bytes: 4, decode: (s, n, t, at) => t.set(new Float32Array(s.buffer, 0, n), at) }],
  [
    1,
    {
      name: "F16",
      elements: 1,
      bytes: 2,
      decode: (s, n, t, at) => decodeFloat16(new Uint16Array(s.buffer, 0, n), t, at),
    },
  ],
  [2, { name: "Q4_0", elements: 32, bytes: 18, decode: decodeQ4_0 }],
  [3, { name: "Q4_1", elements: 32, bytes: 20, decode: decodeQ4_1 }],
  [8, { name: "Q8_0", elements: 32, bytes: 34, decode: decodeQ8_0 }],
  [12, { name: "Q4_K", elements: SUPER, bytes: 144, decode: decodeQ4_K }],
  [13, { name: "Q5_K", elements: SUPER, bytes: 176, decode: decodeQ5_K }],
  [14, { name: "Q6_K", elements: SUPER, bytes: 210, decode: decodeQ6_K }],
  [
    30,
    {
      name: "BF16",
      elements: 1,
      bytes: 2,
      decode: (s, n, t, at) => decodeBfloat16(new Uint16Array(s.buffer, 0, n), t, at),
    },
  ],
]);

/** Names of the types that ggml has and we don't decode, so that an error can say which one a file uses. */
export const OTHER_GGML_TYPES: ReadonlyMap<number, string> = new Map(
  Object.entries({
    6: "Q5_0",
    7: "Q5_1",
    9: "Q8_1",
    10: "Q2_K",
    11: "Q3_K",
    15: "Q8_K",
    16: "IQ2_XXS",
    17: "IQ2_XS",
    18: "IQ3_XXS",
    19: "IQ1_S",
    20: "IQ4_NL",
    21: "IQ3_S",
    22: "IQ2_S",
    23: "IQ4_XS",
    24: "I8",
    25: "I16",
    26: "I32",
    27: "I64",
    28: "F64",
    29: "IQ1_M",
    34: "TQ1_0",
    35: "TQ2_0",
    39: "MXFP4",
  }).map(([code, name]) => [Number(code), name]),
);

const halfAt = (s: Uint8Array, at: number): number => float16Value(s[at] | (s[at + 1] << 8));

/** y = d (q - 8): d f16, then 16 bytes of nibbles, the low ones first. */
function decodeQ4_0(s: Uint8Array, count: number, t: Float32Array, at: number): void {
  for (let b = 0; b < count; b++, at += 32) {
    const from = b * 18;
    const d = halfAt(s, from);
    for (let i = 0; i < 16; i++) {
      const q = s[from + 2 + i];
      t[at + i] = d * ((q & 15) - 8);
      t[at + 16 + i] = d * ((q >> 4) - 8);
    }
  }
}

/** y = d q + m: d, m f16, then 16 bytes of nibbles. */
function decodeQ4_1(s: Uint8Array, count: number, t: Float32Array, at: number): void {
  for (let b = 0; b < count; b++, at += 32) {
    const from = b * 20;
    const d = halfAt(s, from);
    const m = halfAt(s, from + 2);
    for (let i = 0; i < 16; i++) {
      const q = s[from + 4 + i];
      t[at + i] = fround(d * (q & 15)) + m;
      t[at + 16 + i] = fround(d * (q >> 4)) + m;
    }
  }
}

/** y = d q: d f16, then 32 signed bytes. */
function decodeQ8_0(s: Uint8Array, count: number, t: Float32Array, at: number): void {
  for (let b = 0; b < count; b++, at += 32) {
    const from = b * 34;
    const d = halfAt(s, from);
    for (let i = 0; i < 32; i++) t[at + i] = d * ((s[from + 2 + i] << 24) >> 24);
  }
}

/** Six-bit scale j of the 12 bytes at `from` that pack 8 scales and 8 minima (get_scale_min_k4). */
function scaleK4(s: Uint8Array, from: number, j: number): number {
  return j < 4 ? s[from + j] & 63 : (s[from + j + 4] & 15) | ((s[from + j - 4] >> 6) << 4);
}

/** Six-bit minimum j of the same 12 bytes. */
function minimumK4(s: Uint8Array, from: number, j: number): number {
  return j < 4 ? s[from + j + 4] & 63 : (s[from + j + 4] >> 4) | ((s[from + j] >> 6) << 4);
}

/** y = (d·scale) q - (dmin·minimum) by groups of 32: d, dmin f16, 12 bytes of scales, 128 bytes of nibbles. */
function decodeQ4_K(s: Uint8Array, count: number, t: Float32Array, at: number): void {
  for (let b = 0; b < count; b++) {
    const from = b * 144;
    const d = halfAt(s, from);
    const dMin = halfAt(s, from + 2);
    for (let group = 0; group < 8; group += 2, at += 64) {
      const d1 = fround(d * scaleK4(s, from + 4, group));
      const m1 = fround(dMin * minimumK4(s, from + 4, group));
      const d2 = fround(d * scaleK4(s, from + 4, group + 1));
      const m2 = fround(dMin * minimumK4(s, from + 4, group + 1));
      const nibbles = from + 16 + group * 16;
      for (let i = 0; i < 32; i++) {
        const q = s[nibbles + i];
        t[at + i] = fround(d1 * (q & 15)) - m1;
        t[at + 32 + i] = fround(d2 * (q >> 4)) - m2;
      }
    }
  }
}

/** As Q4_K with a fifth bit: after the scales 32 bytes, bit `group` of byte i is the high bit of element i of that group. */
function decodeQ5_K(s: Uint8Array, count: number, t: Float32Array, at: number): void {
  for (let b = 0; b < count; b++) {
    const from = b * 176;
    const d = halfAt(s, from);
    const dMin = halfAt(s, from + 2);
    for (let group = 0; group < 8; group += 2, at += 64) {
      const d1 = fround(d * scaleK4(s, from + 4, group));
      const m1 = fround(dMin * minimumK4(s, from + 4, group));
      const d2 = fround(d * scaleK4(s, from + 4, group + 1));
      const m2 = fround(dMin * minimumK4(s, from + 4, group + 1));
      const nibbles = from + 48 + group * 16;
      for (let i = 0; i < 32; i++) {
        const q = s[nibbles + i];
        const high = s[from + 16 + i] >> group;
        t[at + i] = fround(d1 * ((q & 15) | ((high & 1) << 4))) - m1;
        t[at + 32 + i] = fround(d2 * ((q >> 4) | ((high & 2) << 3))) - m2;
      }
    }
  }
}

/** y = (d·scale) (q - 32) by groups of 16: 128 bytes of low nibbles, 64 of upper bit pairs, 16 signed scales, d f16. */
function decodeQ6_K(s: Uint8Array, count: number, t: Float32Array, at: number): void {
  for (let b = 0; b < count; b++) {
    const from = b * 210;
    const d = halfAt(s, from + 208);
    for (let half = 0; half < 2; half++, at += 128) {
      const low = from + half * 64;
      const high = from + 128 + half * 32;
      const scales = from + 192 + half * 8;
      for (let part = 0; part < 2; part++) {
        const d1 = fround(d * ((s[scales + part] << 24) >> 24));
        const d2 = fround(d * ((s[scales + part + 2] << 24) >> 24));
        const d3 = fround(d * ((s[scales + part + 4] << 24) >> 24));
        const d4 = fround(d * ((s[scales + part + 6] << 24) >> 24));
        for (let i = part * 16; i < part * 16 + 16; i++) {
          const l1 = s[low + i];
          const l2 = s[low + 32 + i];
          const h = s[high + i];
          t[at + i] = d1 * (((l1 & 15) | ((h & 3) << 4)) - 32);
          t[at + 32 + i] = d2 * (((l2 & 15) | (((h >> 2) & 3) << 4)) - 32);
          t[at + 64 + i] = d3 * (((l1 >> 4) | (((h >> 4) & 3) << 4)) - 32);
          t[at + 96 + i] = d4 * (((l2 >> 4) | ((h >> 6) << 4)) - 32);
        }
      }
    }
  }
}
