import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { PublicMatrix } from "../../../protocols/smpc/factors/public-matrix.ts";
import { Generator } from "../../../shares/generator.ts";
import { lowBits, type Words } from "../../../shares/words.ts";

/** x [rows, inputs] times integers [inputs, outputs], mod 2^ringBits, by definition. */
function expected(x: Words, integers: Int32Array, inputs: number, outputs: number, ringBits: number): bigint[] {
  return Array.from({ length: (x.length / inputs) * outputs }, (_, at) => {
    const [row, j] = [Math.floor(at / outputs), at % outputs];
    let sum = 0n;
    for (let i = 0; i < inputs; i++) sum += x[row * inputs + i] * BigInt(integers[i * outputs + j]);
    return sum & lowBits(ringBits);
  });
}

describe("a public matrix", () => {
  let product: Float64Product;
  before(async () => {
    product = await Float64Product.open(1);
  });
  after(() => product.close());

  const check = async (x: Words, integers: Int32Array, inputs: number, ringBits: number): Promise<void> => {
    const [rows, outputs] = [x.length / inputs, integers.length / inputs];
    const out = new BigUint64Array(rows * outputs).fill(lowBits(64));
    await new PublicMatrix(integers, inputs, outputs, product).multiply(x, rows, ringBits, out);
    assert.deepEqual(
      [...out].map((word) => word & lowBits(ringBits)),
      expected(x, integers, inputs, outputs, ringBits),
    );
  };

  it("multiplies exactly mod 2^ringBits, for words of the full range and any integers", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 1, max: 31 }),
        fc.string(),
        async (rows, inputs, outputs, ringBits, bits, seed) => {
          const generator = new Generator(seed, "matrix");
          const x = new BigUint64Array(rows * inputs);
          generator.fillWords(x, 64);
          const integers = Int32Array.from(
            { length: inputs * outputs },
            () => (generator.nextUint32() % 2 ** bits) - 2 ** (bits - 1),
          );
          await check(x, integers, inputs, ringBits);
        },
      ),
    );
  });

  it("multiplies for several parties at the same time", async () => {
    const [rows, inputs] = [3, 40];
    const integers = Int32Array.from({ length: inputs * 7 }, (_, i) => (i % 19) - 9);
    for (let round = 0; round < 3; round++)
      await Promise.all(
        ["a", "b", "c", "d", "e", "f"].map((party) => {
          const x = new BigUint64Array(rows * inputs);
          new Generator(party, `${round}`).fillWords(x, 64);
          return check(x, integers, inputs, 50);
        }),
      );
  });

  it("stays exact for the largest integers, limbs and sums of one sign", async () => {
    for (const entry of [2 ** 24, -(2 ** 24), 2 ** 20])
      for (const word of [lowBits(64), 1n << 63n, 0x5555555555555555n])
        for (const ringBits of [41, 56, 64])
          await check(new BigUint64Array(2 * 3072).fill(word), new Int32Array(2 * 3072).fill(entry), 3072, ringBits);
  });

  it("refuses integers and words of other lengths", async () => {
    assert.throws(() => new PublicMatrix(new Int32Array(5), 2, 3, product), /expected 2 \* 3 integers, got 5/);
    const matrix = new PublicMatrix(new Int32Array(6), 2, 3, product);
    await assert.rejects(
      matrix.multiply(new BigUint64Array(3), 2, 8, new BigUint64Array(6)),
      /expected 2 \* 2 words in and 2 \* 3 out, got 3 and 6/,
    );
  });
});
