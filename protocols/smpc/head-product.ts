/**
 * Dense products of one attention head, on blocks of larger arrays: in 32-bit integers where the ring fits them, in float64 limbs
 * where it is wider. Test: tests/protocols/smpc/head-product.test.ts
 */
import { joinLimbs, splitLimbs } from "../../shares/limbs.ts";
import { ring } from "../../shares/ring.ts";
import type { Words } from "../../shares/words.ts";
import type { PartyWire } from "./gate.ts";

/** Rings up to this are computed in 32-bit integers. */
const SMALL_RING_BITS = 32;

/** A matrix inside an array: element (i, j) is words[offset + i * rowStride + j * columnStride]. */
export interface Block {
  readonly words: Words;
  readonly offset: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

export interface ProductShape {
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
}

/**
 * The sum of a b over the pairs [a, b] of blocks [rows, inner] and [inner, columns], in a fresh array [rows * columns]; right mod
 * 2^bits, garbage above.
 */
export function sumOfProducts(
  pairs: readonly (readonly [Block, Block])[],
  { rows, inner, columns }: ProductShape,
  bits: number,
): Words {
  const out: Words = new BigUint64Array(rows * columns);
  if (bits <= SMALL_RING_BITS) {
    // One product of a, a' side by side with b over b'.
    const depth = inner * pairs.length;
    const [rowPlaces, columnPlaces] = [Math.ceil(rows / 2) * 2, Math.ceil(columns / 4) * 4];
    const a = new Int32Array(rowPlaces * depth);
    const b = new Int32Array(columnPlaces * depth); // transposed
    pairs.forEach(([left, right], pair) => {
      gatherLow(a, pair * inner, depth, left, rows, inner);
      gatherLow(b, pair * inner, depth, transposed(right), columns, inner);
    });
    const product = multiplySmall(a, b, depth); // [rowPlaces, columnPlaces]
    const halves = low(out);
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) halves[2 * (i * columns + j)] = product[i * columnPlaces + j];
    return out;
  }
  for (const [left, right] of pairs) addLarge(out, left, right, { rows, inner, columns }, bits);
  return out;
}

/**
 * A party's part of the product (X - r)(Y - s) of two wires, apart from [r s]: the pairs of words whose products add up to it,
 * X (Y - s) and -r Y, with the public X Y at party 0 only.
 */
export function productPairs(x: PartyWire, y: PartyWire, party: number): readonly (readonly [Words, Words])[] {
  const minusMask: Words = new BigUint64Array(x.mask.length);
  ring.scale(minusMask, x.mask, -1n, 0n);
  const rest: Words = new BigUint64Array(y.mask.length);
  if (party === 0) ring.subtract(rest, y.masked, y.mask);
  else ring.scale(rest, y.mask, -1n, 0n);
  return [
    [x.masked, rest],
    [minusMask, y.masked],
  ];
}

const transposed = (block: Block): Block => ({
  ...block,
  rowStride: block.columnStride,
  columnStride: block.rowStride,
});

/** 32-bit halves of words, low ones at even places: typed arrays are little-endian wherever weir runs. */
const low = (words: Words): Int32Array => new Int32Array(words.buffer, words.byteOffset, words.length * 2);

function gatherLow(
  out: Int32Array,
  at: number,
  outStride: number,
  { words, offset, rowStride, columnStride }: Block,
  rows: number,
  columns: number,
): void {
  const halves = low(words);
  for (let i = 0; i < rows; i++) {
    let from = 2 * (offset + i * rowStride);
    for (let to = at + i * outStride; to < at + i * outStride + columns; to++, from += 2 * columnStride)
      out[to] = halves[from];
  }
}

/** a [rows, depth] times b [columns, depth] transposed, mod 2^32: [rows, columns]; rows even, columns a multiple of 4. */
function multiplySmall(a: Int32Array, b: Int32Array, depth: number): Int32Array {
  const [rows, columns] = [a.length / depth, b.length / depth];
  const out = new Int32Array(rows * columns);
  for (let i = 0; i < rows; i += 2)
    for (let j = 0; j < columns; j += 4) {
      const [a0, a1] = [i * depth, (i + 1) * depth];
      const [b0, b1, b2, b3] = [j * depth, (j + 1) * depth, (j + 2) * depth, (j + 3) * depth];
      let [s00, s01, s02, s03, s10, s11, s12, s13] = [0, 0, 0, 0, 0, 0, 0, 0];
      for (let t = 0; t < depth; t++) {
        const x0 = a[a0 + t];
        const x1 = a[a1 + t];
        const y0 = b[b0 + t];
        const y1 = b[b1 + t];
        const y2 = b[b2 + t];
        const y3 = b[b3 + t];
        s00 = (s00 + Math.imul(x0, y0)) | 0;
        s01 = (s01 + Math.imul(x0, y1)) | 0;
        s02 = (s02 + Math.imul(x0, y2)) | 0;
        s03 = (s03 + Math.imul(x0, y3)) | 0;
        s10 = (s10 + Math.imul(x1, y0)) | 0;
        s11 = (s11 + Math.imul(x1, y1)) | 0;
        s12 = (s12 + Math.imul(x1, y2)) | 0;
        s13 = (s13 + Math.imul(x1, y3)) | 0;
      }
      const [to, next] = [i * columns + j, (i + 1) * columns + j];
      out[to] = s00;
      out[to + 1] = s01;
      out[to + 2] = s02;
      out[to + 3] = s03;
      out[next] = s10;
      out[next + 1] = s11;
      out[next + 2] = s12;
      out[next + 3] = s13;
    }
  return out;
}

/** Limbs of wider rings; sums of three products of balanced limbs over `LIMB_DEPTH` are exact in float64: 3 * 2^(42 + 9) < 2^53. */
const LIMB_BITS = 22;
const LIMB_DEPTH = 512;

/** out += a b mod 2^bits, in float64 limbs. */
function addLarge(out: Words, a: Block, b: Block, { rows, inner, columns }: ProductShape, bits: number): void {
  const cut = { limbBits: LIMB_BITS, limbs: Math.ceil(bits / LIMB_BITS) };
  const [x, y] = [gathered(a, rows, inner), gathered(transposed(b), columns, inner)];
  for (let from = 0; from < inner; from += LIMB_DEPTH) {
    const width = Math.min(LIMB_DEPTH, inner - from);
    const xLimbs = new Float64Array(cut.limbs * rows * width);
    const yLimbs = new Float64Array(cut.limbs * columns * width);
    splitLimbs(xLimbs, x, inner, { from, width }, bits, cut);
    splitLimbs(yLimbs, y, inner, { from, width }, bits, cut);
    const sums = new Float64Array(cut.limbs * out.length);
    // Limbs i and j weigh 2^((i + j) limbBits), which is 0 in the ring from i + j = limbs on.
    for (let i = 0; i < cut.limbs; i++)
      for (let j = 0; i + j < cut.limbs; j++)
        addExact(
          sums.subarray((i + j) * out.length, (i + j + 1) * out.length),
          xLimbs.subarray(i * rows * width, (i + 1) * rows * width),
          yLimbs.subarray(j * columns * width, (j + 1) * columns * width),
          width,
        );
    joinLimbs(out, sums, cut);
  }
}

/** The words of a block, row-major. */
function gathered({ words, offset, rowStride, columnStride }: Block, rows: number, columns: number): Words {
  const out: Words = new BigUint64Array(rows * columns);
  const [to, from] = [low(out), low(words)];
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const [at, place] = [2 * (i * columns + j), 2 * (offset + i * rowStride + j * columnStride)];
      to[at] = from[place];
      to[at + 1] = from[place + 1];
    }
  return out;
}

/** out [rows, columns] += a [rows, depth] times b [columns, depth] transposed. */
function addExact(out: Float64Array, a: Float64Array, b: Float64Array, depth: number): void {
  const columns = b.length / depth;
  for (let i = 0; i * depth < a.length; i++)
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let t = 0; t < depth; t++) sum += a[i * depth + t] * b[j * depth + t];
      out[i * columns + j] += sum;
    }
}
