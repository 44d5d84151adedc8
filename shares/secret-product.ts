/**
 * Exact products of matrices of ring words, on blocks of larger arrays. Test: tests/shares/secret-product.test.ts
 */
import { kernels, MATRICES, memory } from "./kernel-memory.ts";
import type { Words } from "./words.ts";

/** A matrix inside an array: element (i, j) is words[offset + i * rowStride + j * columnStride]. */
export interface WordBlock {
  readonly words: Words;
  readonly offset: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

/** out [rows, columns] = a [rows, inner] b [inner, columns] mod 2^bits, or added to `out` (1), or taken off it (-1). */
export interface MatrixProduct {
  readonly a: WordBlock;
  readonly b: WordBlock;
  readonly out: WordBlock;
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  /** Low bits that have to be right, 64 at most; up to 32 it is several times faster. Above them `out` holds garbage. */
  readonly bits: number;
  readonly accumulate: 0 | 1 | -1;
}

/** The words of a row-major matrix of `columns` columns, whole. */
export const wholeBlock = (words: Words, columns: number): WordBlock => ({
  words,
  offset: 0,
  rowStride: columns,
  columnStride: 1,
});

/** The same block with rows and columns exchanged. */
export const transposed = (block: WordBlock): WordBlock => ({
  ...block,
  rowStride: block.columnStride,
  columnStride: block.rowStride,
});

/** Tiles of a, b and out: 64 x 256, 256 x 256 and 64 x 256 elements, which stay in the processor's cache. */
const [TILE_ROWS, TILE_INNER, TILE_COLUMNS] = [64, 256, 256];
const A_AT = MATRICES;
const B_AT = A_AT + TILE_ROWS * TILE_INNER * 8;
const OUT_AT = B_AT + TILE_INNER * TILE_COLUMNS * 8;
const NARROW_BITS = 32;

/** Multiplies two matrices of words. `out` must not overlap the operands. RangeError for a block that leaves its array. */
export function multiplyMatrices(product: MatrixProduct): void {
  const { a, b, out, rows, inner, columns, bits, accumulate } = product;
  checkBlock("a", a, rows, inner);
  checkBlock("b", b, inner, columns);
  checkBlock("out", out, rows, columns);
  const narrow = bits <= NARROW_BITS;
  const multiply = narrow ? kernels.multiply32 : kernels.multiply64;
  const gather = narrow ? gatherHalves : gatherWords;
  const scatter = narrow ? scatterHalves : scatterWords;
  for (let j = 0; j < columns; j += TILE_COLUMNS) {
    const width = Math.min(TILE_COLUMNS, columns - j);
    const paddedWidth = roundUp(width, 8);
    for (let i = 0; i < rows; i += TILE_ROWS) {
      const height = Math.min(TILE_ROWS, rows - i);
      const paddedHeight = roundUp(height, 4);
      for (let k = 0; k < inner; k += TILE_INNER) {
        const depth = Math.min(TILE_INNER, inner - k);
        gather(A_AT, a, i, k, height, depth, depth, paddedHeight);
        // With one tile of inner elements, the tile of b serves all tiles of rows.
        if (i === 0 || inner > TILE_INNER) gather(B_AT, b, k, j, depth, width, paddedWidth, depth);
        multiply(OUT_AT, A_AT, B_AT, paddedHeight, depth, paddedWidth, k === 0 ? 0 : 1);
      }
      if (inner === 0) memory.bytes.fill(0, OUT_AT, OUT_AT + paddedHeight * paddedWidth * 8);
      scatter(out, i, j, height, width, paddedWidth, accumulate);
    }
  }
}

const roundUp = (count: number, to: number): number => Math.ceil(count / to) * to;

function checkBlock(
  name: string,
  { words, offset, rowStride, columnStride }: WordBlock,
  rows: number,
  columns: number,
): void {
  const last = offset + (rows - 1) * rowStride + (columns - 1) * columnStride;
  if (rows > 0 && columns > 0 && !(offset >= 0 && rowStride >= 0 && columnStride >= 0 && last < words.length))
    throw new RangeError(
      `matrix product: expected ${name} within ${words.length} words, got a block up to word ${last}`,
    );
}

/** The low halves of a tile at address `to`, rows of `stride` elements; rows up to `allRows` and columns up to `stride` become 0. */
function gatherHalves(
  to: number,
  { words, offset, rowStride, columnStride }: WordBlock,
  firstRow: number,
  firstColumn: number,
  rows: number,
  columns: number,
  stride: number,
  allRows: number,
): void {
  const halves = new Int32Array(words.buffer, words.byteOffset, words.length * 2);
  const tile = memory.integers;
  const start = to / 4;
  if (allRows > rows || stride > columns) tile.fill(0, start, start + allRows * stride);
  for (let i = 0; i < rows; i++) {
    let from = 2 * (offset + (firstRow + i) * rowStride + firstColumn * columnStride);
    let at = start + i * stride;
    for (const end = at + columns; at < end; at++, from += 2 * columnStride) tile[at] = halves[from];
  }
}

/** As gatherHalves, for whole words. */
function gatherWords(
  to: number,
  { words, offset, rowStride, columnStride }: WordBlock,
  firstRow: number,
  firstColumn: number,
  rows: number,
  columns: number,
  stride: number,
  allRows: number,
): void {
  const halves = new Int32Array(words.buffer, words.byteOffset, words.length * 2);
  const tile = memory.integers;
  const start = to / 4;
  if (allRows > rows || stride > columns) tile.fill(0, start, start + 2 * allRows * stride);
  for (let i = 0; i < rows; i++) {
    let from = 2 * (offset + (firstRow + i) * rowStride + firstColumn * columnStride);
    let at = start + 2 * i * stride;
    for (const end = at + 2 * columns; at < end; at += 2, from += 2 * columnStride) {
      tile[at] = halves[from];
      tile[at + 1] = halves[from + 1];
    }
  }
}

/** Writes the tile of low halves at OUT_AT, rows of `stride` elements, to a block. */
function scatterHalves(
  { words, offset, rowStride, columnStride }: WordBlock,
  firstRow: number,
  firstColumn: number,
  rows: number,
  columns: number,
  stride: number,
  accumulate: 0 | 1 | -1,
): void {
  const halves = new Int32Array(words.buffer, words.byteOffset, words.length * 2);
  const tile = memory.integers;
  for (let i = 0; i < rows; i++) {
    let to = 2 * (offset + (firstRow + i) * rowStride + firstColumn * columnStride);
    let at = OUT_AT / 4 + i * stride;
    for (const end = at + columns; at < end; at++, to += 2 * columnStride) {
      // Only the low half has to be right.
      halves[to] = accumulate === 0 ? tile[at] : accumulate > 0 ? halves[to] + tile[at] : halves[to] - tile[at];
      if (accumulate === 0) halves[to + 1] = 0;
    }
  }
}

/** As scatterHalves, for whole words. */
function scatterWords(
  { words, offset, rowStride, columnStride }: WordBlock,
  firstRow: number,
  firstColumn: number,
  rows: number,
  columns: number,
  stride: number,
  accumulate: 0 | 1 | -1,
): void {
  const halves = new Uint32Array(words.buffer, words.byteOffset, words.length * 2);
  const tile = new Uint32Array(memory.integers.buffer, OUT_AT, 2 * rows * stride);
  for (let i = 0; i < rows; i++) {
    let to = 2 * (offset + (firstRow + i) * rowStride + firstColumn * columnStride);
    let at = 2 * i * stride;
    for (const end = at + 2 * columns; at < end; at += 2, to += 2 * columnStride) {
      if (accumulate === 0) {
        halves[to] = tile[at];
        halves[to + 1] = tile[at + 1];
        continue;
      }
      const low = halves[to] + accumulate * tile[at];
      halves[to + 1] += accumulate * tile[at + 1] + Math.floor(low / 2 ** 32);
      halves[to] = low;
    }
  }
}
