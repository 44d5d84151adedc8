import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Generator } from "../../shares/generator.ts";
import { multiplyMatrices, transposed, wholeBlock, type WordBlock } from "../../shares/secret-product.ts";
import { lowBits, type Words } from "../../shares/words.ts";

function words(length: number, seed: string): Words {
  const out = new BigUint64Array(length);
  new Generator(seed, "words").fillWords(out, 64);
  return out;
}

const at = ({ words, offset, rowStride, columnStride }: WordBlock, i: number, j: number): bigint =>
  words[offset + i * rowStride + j * columnStride];

/** A block [rows, columns] inside random words, row-major with a gap, transposed or with a stride between columns. */
function block(layout: "rows" | "columns" | "spread", rows: number, columns: number, seed: string): WordBlock {
  const [offset, gap] = [5, 3];
  if (layout === "columns") return transposed(block("rows", columns, rows, seed));
  const columnStride = layout === "spread" ? 2 : 1;
  const rowStride = columns * columnStride + gap;
  return { words: words(offset + rows * rowStride, seed), offset, rowStride, columnStride };
}

/** Multiplies, and compares with the definition: the block mod 2^bits, and everything around it untouched. */
function check(
  [rows, inner, columns]: readonly [number, number, number],
  layouts: readonly ("rows" | "columns" | "spread")[],
  bits: number,
  accumulate: 0 | 1 | -1,
  seed: string,
): void {
  const a = block(layouts[0], rows, inner, `a${seed}`);
  const b = block(layouts[1], inner, columns, `b${seed}`);
  const out = block(layouts[2], rows, columns, `out${seed}`);
  const before = out.words.slice();
  const [aBefore, bBefore] = [a.words.slice(), b.words.slice()];
  const expected = before.slice();
  const inBlock = new Set<number>();
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      let sum = 0n;
      for (let k = 0; k < inner; k++) sum += at(a, i, k) * at(b, k, j);
      const index = out.offset + i * out.rowStride + j * out.columnStride;
      inBlock.add(index);
      expected[index] =
        accumulate === 0 ? BigInt.asUintN(64, sum) : BigInt.asUintN(64, before[index] + BigInt(accumulate) * sum);
    }
  multiplyMatrices({ a, b, out, rows, inner, columns, bits, accumulate });
  const canonical = (all: Words): bigint[] => [...all].map((word, i) => (inBlock.has(i) ? word & lowBits(bits) : word));
  assert.deepEqual(canonical(out.words), canonical(expected));
  assert.deepEqual([a.words, b.words], [aBefore, bBefore]);
}

const layout = fc.constantFrom("rows" as const, "columns" as const, "spread" as const);
const size = fc.integer({ min: 0, max: 20 });
const bits = fc.constantFrom(1, 26, 31, 32, 33, 41, 63, 64);
const accumulate = fc.constantFrom(0 as const, 1 as const, -1 as const);

describe("the product of two matrices of words", () => {
  it("is exact mod 2^bits for any shape, layout and way of adding up", () => {
    fc.assert(
      fc.property(
        fc.tuple(size, size, size),
        fc.tuple(layout, layout, layout),
        bits,
        accumulate,
        fc.string(),
        (shape, layouts, bits, accumulate, seed) => check(shape, layouts, bits, accumulate, seed),
      ),
    );
  });

  it("is exact across tiles of rows, inner elements and columns", () => {
    for (const bits of [32, 64])
      for (const shape of [
        [65, 3, 5],
        [3, 257, 5],
        [3, 5, 257],
        [66, 258, 9],
        [130, 256, 8],
      ] as const)
        check(shape, ["rows", "columns", "rows"], bits, bits === 32 ? 1 : -1, "tiles");
  });

  it("refuses a block that leaves its array", () => {
    const [a, b, out] = [wholeBlock(words(6, "a"), 3), wholeBlock(words(6, "b"), 2), wholeBlock(words(4, "o"), 2)];
    const good = { a, b, out, rows: 2, inner: 3, columns: 2, bits: 64, accumulate: 0 } as const;
    multiplyMatrices(good);
    for (const wrong of [
      { rows: 3 },
      { inner: 4 },
      { columns: 3 },
      { a: { ...a, offset: -1 } },
      { out: { ...out, offset: 1 } },
    ])
      assert.throws(() => multiplyMatrices({ ...good, ...wrong }), /matrix product: expected \w+ within \d words, got/);
  });
});
