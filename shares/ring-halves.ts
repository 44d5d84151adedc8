/**
 * The ring kernels in plain JavaScript, words as two unsigned halves, exact in float64 and 32-bit integer arithmetic: for short arrays,
 * and for what WebAssembly (ring.ts) does no faster. What each means is in ring-reference.ts. No BigInt in a loop: a BigInt an element
 * costs 50 to 100 ns.
 */
import type { RingKernels } from "./ring-reference.ts";
import type { Words } from "./words.ts";

const TWO_32 = 2 ** 32;
const LARGEST_ENCODED = 2 ** 62;
/** From here on a float64 is an integer; adding it to a smaller one and taking it off again rounds that, ties to even. */
const ALL_INTEGER = 2 ** 52;

/** The 32-bit halves of words, low half first. */
const halves = (words: Words): Uint32Array => new Uint32Array(words.buffer, words.byteOffset, words.length * 2);

function same(...lengths: number[]): void {
  if (lengths.some((length) => length !== lengths[0]))
    throw new RangeError(`ring kernel: expected operands of one length, got ${lengths.join(", ")}`);
}

/** Low and high half of a BigInt mod 2^64. */
function split(value: bigint): [low: number, high: number] {
  const word = BigInt.asUintN(64, value);
  return [Number(word & 0xffffffffn), Number(word >> 32n)];
}

/** High half of the 64-bit product of two unsigned 32-bit numbers; the low half is Math.imul's. */
function productHigh(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const middle = a1 * b0 + ((a0 * b0) >>> 16); // < 2^32
  const cross = a0 * b1 + (middle & 0xffff); // < 2^32
  return a1 * b1 + (middle >>> 16) + (cross >>> 16);
}

/** out[2i], out[2i + 1] = a * b of two words given by halves. */
function storeProduct(out: Uint32Array, at: number, aLow: number, aHigh: number, bLow: number, bHigh: number): void {
  out[at] = Math.imul(aLow, bLow);
  out[at + 1] = productHigh(aLow, bLow) + (Math.imul(aLow, bHigh) >>> 0) + (Math.imul(aHigh, bLow) >>> 0);
}

/** The kernels on 32-bit halves. */
export const ringHalves: Omit<RingKernels, "pack" | "unpack"> = {
  add(out, a, b) {
    same(out.length, a.length, b.length);
    const [o, x, y] = [halves(out), halves(a), halves(b)];
    for (let i = 0; i < o.length; i += 2) {
      const low = x[i] + y[i];
      o[i + 1] = x[i + 1] + y[i + 1] + (low >= TWO_32 ? 1 : 0);
      o[i] = low;
    }
  },
  subtract(out, a, b) {
    same(out.length, a.length, b.length);
    const [o, x, y] = [halves(out), halves(a), halves(b)];
    for (let i = 0; i < o.length; i += 2) {
      const low = x[i] - y[i];
      o[i + 1] = x[i + 1] - y[i + 1] - (low < 0 ? 1 : 0);
      o[i] = low;
    }
  },
  addScaled(out, a, b, factor) {
    same(out.length, a.length, b.length);
    const [o, x, y] = [halves(out), halves(a), halves(b)];
    const [factorLow, factorHigh] = split(factor);
    const product = new Uint32Array(2);
    for (let i = 0; i < o.length; i += 2) {
      storeProduct(product, 0, y[i], y[i + 1], factorLow, factorHigh);
      const low = x[i] + product[0];
      o[i + 1] = x[i + 1] + product[1] + (low >= TWO_32 ? 1 : 0);
      o[i] = low;
    }
  },
  scale(out, a, factor, addend) {
    same(out.length, a.length);
    const [o, x] = [halves(out), halves(a)];
    const [factorLow, factorHigh] = split(factor);
    const [addLow, addHigh] = split(addend);
    const product = new Uint32Array(2);
    for (let i = 0; i < o.length; i += 2) {
      storeProduct(product, 0, x[i], x[i + 1], factorLow, factorHigh);
      const low = product[0] + addLow;
      o[i + 1] = product[1] + addHigh + (low >= TWO_32 ? 1 : 0);
      o[i] = low;
    }
  },
  multiply(out, a, b) {
    same(out.length, a.length, b.length);
    const [o, x, y] = [halves(out), halves(a), halves(b)];
    for (let i = 0; i < o.length; i += 2) storeProduct(o, i, x[i], x[i + 1], y[i], y[i + 1]);
  },
  multiplyColumns(out, x, factors) {
    same(out.length, x.length);
    const [o, v, f] = [halves(out), halves(x), halves(factors)];
    for (let row = 0; row < o.length; row += f.length)
      for (let j = 0; j < f.length; j += 2) storeProduct(o, row + j, v[row + j], v[row + j + 1], f[j], f[j + 1]);
  },
  addColumns(out, x, addends) {
    same(out.length, x.length);
    const [o, v, f] = [halves(out), halves(x), halves(addends)];
    for (let row = 0; row < o.length; row += f.length)
      for (let j = 0; j < f.length; j += 2) {
        const low = v[row + j] + f[j];
        o[row + j + 1] = v[row + j + 1] + f[j + 1] + (low >= TWO_32 ? 1 : 0);
        o[row + j] = low;
      }
  },
  multiplySegments(out, x, factors, width) {
    same(out.length, x.length, factors.length * width);
    const [o, v, f] = [halves(out), halves(x), halves(factors)];
    for (let segment = 0; segment < factors.length; segment++) {
      const [low, high] = [f[2 * segment], f[2 * segment + 1]];
      for (let i = 2 * segment * width; i < 2 * (segment + 1) * width; i += 2)
        storeProduct(o, i, v[i], v[i + 1], low, high);
    }
  },
  sumSegments(out, x, width) {
    same(x.length, out.length * width);
    const [o, v] = [halves(out), halves(x)];
    for (let segment = 0; segment < out.length; segment++)
      storeSum(o, segment, v, segment * width, (segment + 1) * width);
  },
  sumRagged(out, x, offsets) {
    same(out.length, offsets.length - 1);
    const [o, v] = [halves(out), halves(x)];
    for (let row = 0; row < out.length; row++) storeSum(o, row, v, offsets[row], offsets[row + 1]);
  },
  subtractRagged(out, x, values, offsets) {
    same(out.length, x.length);
    same(values.length, offsets.length - 1);
    const [o, v, s] = [halves(out), halves(x), halves(values)];
    for (let row = 0; row < values.length; row++) {
      const [sLow, sHigh] = [s[2 * row], s[2 * row + 1]];
      for (let i = 2 * offsets[row]; i < 2 * offsets[row + 1]; i += 2) {
        const low = v[i] - sLow;
        o[i + 1] = v[i + 1] - sHigh - (low < 0 ? 1 : 0);
        o[i] = low;
      }
    }
  },
  shiftRight(out, x, ringBits, bits, addend) {
    same(out.length, x.length);
    const [o, v] = [halves(out), halves(x)];
    const [addLow, addHigh] = split(addend);
    const lowMask = ringBits >= 32 ? 0xffffffff : 2 ** ringBits - 1;
    const highMask = ringBits >= 64 ? 0xffffffff : ringBits > 32 ? 2 ** (ringBits - 32) - 1 : 0;
    for (let i = 0; i < o.length; i += 2) {
      const low = (v[i] & lowMask) >>> 0;
      const high = (v[i + 1] & highMask) >>> 0;
      let shiftedLow: number;
      let shiftedHigh: number;
      if (bits === 0) {
        shiftedLow = low;
        shiftedHigh = high;
      } else if (bits < 32) {
        shiftedLow = ((low >>> bits) | (high << (32 - bits))) >>> 0;
        shiftedHigh = high >>> bits;
      } else {
        shiftedLow = bits < 64 ? high >>> (bits - 32) : 0;
        shiftedHigh = 0;
      }
      const sum = shiftedLow + addLow;
      o[i + 1] = shiftedHigh + addHigh + (sum >= TWO_32 ? 1 : 0);
      o[i] = sum;
    }
  },
  reduce(out, x, bits) {
    ringHalves.shiftRight(out, x, bits, 0, 0n);
  },
  encode(out, values, fracBits) {
    same(out.length, values.length);
    const o = halves(out);
    const unit = 2 ** fracBits;
    for (let i = 0; i < out.length; i++) {
      const scaled = values[i] * unit;
      if (!(Math.abs(scaled) < LARGEST_ENCODED))
        throw new RangeError(`fixed point: expected a magnitude below 2^62 units of 2^-${fracBits}, got one beyond`);
      let rounded = scaled;
      if (scaled >= 0 && scaled < ALL_INTEGER) rounded = scaled + ALL_INTEGER - ALL_INTEGER;
      else if (scaled < 0 && scaled > -ALL_INTEGER) rounded = scaled - ALL_INTEGER + ALL_INTEGER;
      const high = Math.floor(rounded / TWO_32);
      o[2 * i] = rounded - high * TWO_32;
      o[2 * i + 1] = high;
    }
  },
  decode(out, x, ringBits, fracBits) {
    same(out.length, x.length);
    const v = halves(x);
    const unit = 2 ** -fracBits;
    const isHigh = ringBits > 32;
    // Shifted up and down again, the upper half in use is signed.
    const shift = (isHigh ? 64 : 32) - ringBits;
    for (let i = 0; i < out.length; i++)
      out[i] = isHigh
        ? (((v[2 * i + 1] << shift) >> shift) * TWO_32 + v[2 * i]) * unit
        : ((v[2 * i] << shift) >> shift) * unit;
  },
};

/** o[at] = sum of the words [from, to) of v, by halves. */
function storeSum(o: Uint32Array, at: number, v: Uint32Array, from: number, to: number): void {
  let [low, high] = [0, 0]; // exact: fewer than 2^21 words
  for (let i = 2 * from; i < 2 * to; i += 2) {
    low += v[i];
    high += v[i + 1];
  }
  o[2 * at] = low % TWO_32;
  o[2 * at + 1] = (high + Math.floor(low / TWO_32)) % TWO_32;
}
