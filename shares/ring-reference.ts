/**
 * What every ring kernel means, in BigInt: slow, obvious, and the truth that the fast kernels of ring.ts are tested against.
 * All kernels compute mod 2^64, and so mod every 2^K below it; only those that take `ringBits` read a word as its canonical residue.
 */
import { lowBits, type Words } from "./words.ts";

/** Kernels over words. `out` may be one of the operands. Lengths must agree (RangeError). */
export interface RingKernels {
  /** out = a + b */
  add(out: Words, a: Words, b: Words): void;
  /** out = a - b */
  subtract(out: Words, a: Words, b: Words): void;
  /** out = a + factor * b, factor mod 2^64 (negative allowed) */
  addScaled(out: Words, a: Words, b: Words, factor: bigint): void;
  /** out = factor * a + addend */
  scale(out: Words, a: Words, factor: bigint, addend: bigint): void;
  /** out = a * b, element by element */
  multiply(out: Words, a: Words, b: Words): void;
  /** out = x * factors, element by element of a row [columns]; x is [rows, columns] */
  multiplyColumns(out: Words, x: Words, factors: Words): void;
  /** out = x + addends of a row [columns]; x is [rows, columns] */
  addColumns(out: Words, x: Words, addends: Words): void;
  /** out = x * factors[segment] for segments of `width` words of x; factors is [x.length / width] */
  multiplySegments(out: Words, x: Words, factors: Words, width: number): void;
  /** out[segment] = sum of `width` words of x; out is [x.length / width] */
  sumSegments(out: Words, x: Words, width: number): void;
  /** As multiplySegments and sumSegments for segments of differing length: segment i is [offsets[i], offsets[i + 1]). */
  sumRagged(out: Words, x: Words, offsets: Int32Array): void;
  /** out = x - values[segment] over ragged segments */
  subtractRagged(out: Words, x: Words, values: Words, offsets: Int32Array): void;
  /** out = ((x mod 2^ringBits) >> bits) + addend, the canonical residue shifted logically */
  shiftRight(out: Words, x: Words, ringBits: number, bits: number, addend: bigint): void;
  /** out = x mod 2^bits */
  reduce(out: Words, x: Words, bits: number): void;
  /** `bits` low bits of every word, little-endian bit order, without gaps; out has ceil(length * bits / 8) bytes */
  pack(words: Words, bits: number): Uint8Array;
  /** The inverse: out.length words of `bits` bits, from bit `bitOffset` of bytes. RangeError if bytes is too short. */
  unpack(out: Words, bytes: Uint8Array, bits: number, bitOffset: number): void;
  /** Real numbers to words: round(x * 2^fracBits), ties to even, mod 2^64. RangeError for a value that isn't finite or reaches 2^62. */
  encode(out: Words, values: ArrayLike<number>, fracBits: number): void;
  /** Words of Z_{2^ringBits}, read as signed, to real numbers / 2^fracBits. */
  decode(out: Float64Array, x: Words, ringBits: number, fracBits: number): void;
}

const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);

function same(...lengths: number[]): void {
  if (lengths.some((length) => length !== lengths[0]))
    throw new RangeError(`ring kernel: expected operands of one length, got ${lengths.join(", ")}`);
}

/** The kernels in BigInt. */
export const ringReference: RingKernels = {
  add(out, a, b) {
    same(out.length, a.length, b.length);
    for (let i = 0; i < out.length; i++) out[i] = wrap(a[i] + b[i]);
  },
  subtract(out, a, b) {
    same(out.length, a.length, b.length);
    for (let i = 0; i < out.length; i++) out[i] = wrap(a[i] - b[i]);
  },
  addScaled(out, a, b, factor) {
    same(out.length, a.length, b.length);
    for (let i = 0; i < out.length; i++) out[i] = wrap(a[i] + factor * b[i]);
  },
  scale(out, a, factor, addend) {
    same(out.length, a.length);
    for (let i = 0; i < out.length; i++) out[i] = wrap(factor * a[i] + addend);
  },
  multiply(out, a, b) {
    same(out.length, a.length, b.length);
    for (let i = 0; i < out.length; i++) out[i] = wrap(a[i] * b[i]);
  },
  multiplyColumns(out, x, factors) {
    same(out.length, x.length);
    for (let i = 0; i < out.length; i++) out[i] = wrap(x[i] * factors[i % factors.length]);
  },
  addColumns(out, x, addends) {
    same(out.length, x.length);
    for (let i = 0; i < out.length; i++) out[i] = wrap(x[i] + addends[i % addends.length]);
  },
  multiplySegments(out, x, factors, width) {
    same(out.length, x.length, factors.length * width);
    for (let i = 0; i < out.length; i++) out[i] = wrap(x[i] * factors[Math.floor(i / width)]);
  },
  sumSegments(out, x, width) {
    same(x.length, out.length * width);
    for (let row = 0; row < out.length; row++) {
      let sum = 0n;
      for (let i = 0; i < width; i++) sum += x[row * width + i];
      out[row] = wrap(sum);
    }
  },
  sumRagged(out, x, offsets) {
    same(out.length, offsets.length - 1);
    for (let row = 0; row < out.length; row++) {
      let sum = 0n;
      for (let i = offsets[row]; i < offsets[row + 1]; i++) sum += x[i];
      out[row] = wrap(sum);
    }
  },
  subtractRagged(out, x, values, offsets) {
    same(out.length, x.length);
    same(values.length, offsets.length - 1);
    for (let row = 0; row < values.length; row++)
      for (let i = offsets[row]; i < offsets[row + 1]; i++) out[i] = wrap(x[i] - values[row]);
  },
  shiftRight(out, x, ringBits, bits, addend) {
    same(out.length, x.length);
    for (let i = 0; i < out.length; i++) out[i] = wrap(((x[i] & lowBits(ringBits)) >> BigInt(bits)) + addend);
  },
  reduce(out, x, bits) {
    same(out.length, x.length);
    for (let i = 0; i < out.length; i++) out[i] = x[i] & lowBits(bits);
  },
  pack(words, bits) {
    const bytes = new Uint8Array(Math.ceil((words.length * bits) / 8));
    for (let i = 0; i < words.length; i++)
      for (let b = 0; b < bits; b++) {
        const at = i * bits + b;
        if ((words[i] >> BigInt(b)) & 1n) bytes[at >> 3] |= 1 << (at & 7);
      }
    return bytes;
  },
  unpack(out, bytes, bits, bitOffset) {
    if (bitOffset + out.length * bits > bytes.length * 8)
      throw new RangeError(`unpack: expected ${bitOffset + out.length * bits} bits, got ${bytes.length * 8}`);
    for (let i = 0; i < out.length; i++) {
      let word = 0n;
      for (let b = 0; b < bits; b++) {
        const at = bitOffset + i * bits + b;
        if ((bytes[at >> 3] >> (at & 7)) & 1) word |= 1n << BigInt(b);
      }
      out[i] = word;
    }
  },
  encode(out, values, fracBits) {
    same(out.length, values.length);
    for (let i = 0; i < out.length; i++) {
      const scaled = values[i] * 2 ** fracBits;
      if (!(Math.abs(scaled) < 2 ** 62))
        throw new RangeError(`fixed point: expected a magnitude below 2^62 units of 2^-${fracBits}, got one beyond`);
      const floor = Math.floor(scaled);
      const rest = scaled - floor;
      const up = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0);
      out[i] = wrap(BigInt(up ? floor + 1 : floor));
    }
  },
  decode(out, x, ringBits, fracBits) {
    same(out.length, x.length);
    for (let i = 0; i < out.length; i++) out[i] = Number(BigInt.asIntN(ringBits, x[i])) / 2 ** fracBits;
  },
};
