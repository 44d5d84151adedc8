/**
 * Dense products of one attention head, on blocks of larger arrays: mod 2^64, or mod 2^32 where that is enough, which is several times
 * faster. Test: tests/protocols/smpc/scores.test.ts, mix.test.ts
 */
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
  const depth = inner * pairs.length;
  // One product of [a a' ..] with b over b', rows of `depth`.
  if (bits <= SMALL_RING_BITS) {
    const a = new Int32Array(rows * depth);
    const b = new Int32Array(columns * depth);
    pairs.forEach(([left, right], pair) => {
      gatherLow(a, pair * inner, depth, left, rows, inner);
      gatherLow(b, pair * inner, depth, transposed(right), columns, inner);
    });
    multiplySmall(low(out), a, b, depth, columns);
    return out;
  }
  for (const [left, right] of pairs) addLarge(out, left, right, { rows, inner, columns });
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

/** out (halves of words) [rows, columns] = a [rows, depth] times b [columns, depth] transposed, mod 2^32. */
function multiplySmall(out: Int32Array, a: Int32Array, b: Int32Array, depth: number, columns: number): void {
  const rows = a.length / depth;
  for (let i = 0; i < rows; i++) {
    const aAt = i * depth;
    let j = 0;
    for (; j + 4 <= columns; j += 4) {
      const [b0, b1, b2, b3] = [j * depth, (j + 1) * depth, (j + 2) * depth, (j + 3) * depth];
      let [s0, s1, s2, s3] = [0, 0, 0, 0];
      for (let t = 0; t < depth; t++) {
        const x = a[aAt + t];
        s0 = (s0 + Math.imul(x, b[b0 + t])) | 0;
        s1 = (s1 + Math.imul(x, b[b1 + t])) | 0;
        s2 = (s2 + Math.imul(x, b[b2 + t])) | 0;
        s3 = (s3 + Math.imul(x, b[b3 + t])) | 0;
      }
      const to = 2 * (i * columns + j);
      out[to] = s0;
      out[to + 2] = s1;
      out[to + 4] = s2;
      out[to + 6] = s3;
    }
    for (; j < columns; j++) {
      let sum = 0;
      for (let t = 0; t < depth; t++) sum = (sum + Math.imul(a[aAt + t], b[j * depth + t])) | 0;
      out[2 * (i * columns + j)] = sum;
    }
  }
}

/** out += a b mod 2^64, slowly: no plan opens attention operands this wide. */
function addLarge(out: Words, a: Block, b: Block, { rows, inner, columns }: ProductShape): void {
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      let sum = out[i * columns + j];
      for (let t = 0; t < inner; t++)
        sum +=
          a.words[a.offset + i * a.rowStride + t * a.columnStride] *
          b.words[b.offset + t * b.rowStride + j * b.columnStride];
      out[i * columns + j] = BigInt.asUintN(64, sum);
    }
}
