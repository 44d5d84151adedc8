import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { AnswerCheck, type RowsOfIntegers } from "../../../protocols/smpc/check/answer-check.ts";
import { SecretVectors } from "../../../protocols/smpc/check/secret-vectors.ts";
import { Generator } from "../../../shares/generator.ts";
import { StreamBook } from "../../../shares/stream-book.ts";
import { lowBits, type Words } from "../../../shares/words.ts";
import { plantedFaults } from "../../../experiments/bench/smpc/planted-faults.ts";

/** Integers [inputs, outputs] as rows. */
const rowsOf = (integers: Int32Array, inputs: number): RowsOfIntegers => {
  const outputs = integers.length / inputs;
  return { inputs, outputs, read: (i, out) => out.set(integers.subarray(i * outputs, (i + 1) * outputs)) };
};

const secretsOf = (seed: number, vectors?: number): SecretVectors =>
  new SecretVectors(new StreamBook(new Uint8Array(new Uint32Array([seed, 1, 2, 3]).buffer)).batch("check"), vectors);

/** Top bits of x [rows, inputs] times integers mod 2^ringBits, by definition. */
function honest(x: Words, integers: Int32Array, inputs: number, ringBits: number, droppedBits: number): Words {
  const outputs = integers.length / inputs;
  const top: Words = new BigUint64Array((x.length / inputs) * outputs);
  for (let at = 0; at < top.length; at++) {
    const [row, j] = [Math.floor(at / outputs), at % outputs];
    let sum = 0n;
    for (let i = 0; i < inputs; i++) sum += x[row * inputs + i] * BigInt(integers[i * outputs + j]);
    top[at] = (sum & lowBits(ringBits)) >> BigInt(droppedBits);
  }
  return top;
}

const integersOf = {
  any: (next: () => number) => (next() % 2 ** 17) - 2 ** 16,
  // Their products have low bits that are far from uniform and independent.
  even: (next: () => number) => ((next() % 2 ** 17) - 2 ** 16) & ~255,
  equal: () => 4096,
  zero: () => 0,
} as const;

describe("a check of answers", () => {
  let product: Float64Product;
  before(async () => {
    product = await Float64Product.open(1);
  });
  after(() => product.close());

  it("believes a server that is refused and tries again under the same vectors as seldom as q tries allow, however it adapts", async () => {
    // As sessions beside the one in which it was caught do, until they end. Words off by what cancels pass where all vectors take both or
    // neither, 2^-vectors; a server that knows which pairs were refused tries others with one of them, or all with the first.
    const [inputs, outputs, ringBits, droppedBits, vectors, tries] = [4, 64, 40, 16, 5, 8];
    const integers = Int32Array.from({ length: inputs * outputs }, (_, at) => ((at * 7919) % 2 ** 15) - 2 ** 14);
    const x = new BigUint64Array(inputs);
    new Generator("tries", "words").fillWords(x, ringBits);
    const top = honest(x, integers, inputs, ringBits, droppedBits);
    const far = 2n ** 20n;
    for (const pairOf of [(at: number) => [0, at + 1], (at: number) => [2 * at, 2 * at + 1]] as const) {
      let believed = 0;
      const clients = 600;
      for (let seed = 0; seed < clients; seed++) {
        const check = AnswerCheck.make([rowsOf(integers, inputs)], secretsOf(seed, vectors));
        for (let at = 0; at < tries; at++) {
          const lied = top.slice();
          const [one, other] = pairOf(at);
          lied[one] = (lied[one] + far) & lowBits(ringBits - droppedBits);
          lied[other] = (lied[other] - far) & lowBits(ringBits - droppedBits);
          const answers = { x, tops: [lied], rows: 1, ringBits, droppedBits };
          if ((await check.faultyRow(answers)) !== null) continue;
          believed++;
          break;
        }
      }
      // Exactly 1 - (1 - 2^-5)^8 = 0.22 where tries are independent; the bound is 8 / 32. Five deviations of 600 clients.
      const bound = tries * 2 ** -vectors;
      assert.ok(believed / clients <= bound + 5 * Math.sqrt((bound * (1 - bound)) / clients), `${believed}`);
      assert.ok(believed > 0, "so few vectors are passed now and then");
    }
  });

  it("refuses no honest row, of any matrices, words, widths and numbers of rows", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...(Object.keys(integersOf) as (keyof typeof integersOf)[])),
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 14, max: 48 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 21 }),
        fc.nat(),
        fc.boolean(),
        async (kind, outputs, inputs, rows, ringBits, share, vectors, seed, fast) => {
          const droppedBits = Math.floor(share * Math.max(0, ringBits - 13)) * (seed % 4 === 0 ? 0 : 1);
          const generator = new Generator(String(seed), "matrices");
          const matrices = outputs.map((count) =>
            Int32Array.from({ length: inputs * count }, () => integersOf[kind](() => generator.nextUint32())),
          );
          const x = new BigUint64Array(rows * inputs);
          new Generator(String(seed), "words").fillWords(x, ringBits);
          const tops = matrices.map((integers) => honest(x, integers, inputs, ringBits, droppedBits));
          const check = AnswerCheck.make(
            matrices.map((integers) => rowsOf(integers, inputs)),
            secretsOf(seed, vectors),
            fast ? product : null,
          );
          assert.equal(await check.faultyRow({ x, tops, rows, ringBits, droppedBits }), null);
        },
      ),
    );
  });

  it("finds any one word that is off by more than twice its window and half a unit, and names the row", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 24, max: 48 }),
        fc.nat(),
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        fc.boolean(),
        async (outputs, rows, ringBits, seed, where, fast) => {
          const [inputs, sentBits] = [20, 16];
          const droppedBits = ringBits - sentBits;
          const generator = new Generator(String(seed), "matrix");
          const integers = Int32Array.from({ length: inputs * outputs }, () =>
            integersOf.any(() => generator.nextUint32()),
          );
          const x = new BigUint64Array(rows * inputs);
          new Generator(String(seed), "words").fillWords(x, ringBits);
          const top = honest(x, integers, inputs, ringBits, droppedBits);
          const check = AnswerCheck.make([rowsOf(integers, inputs)], secretsOf(seed), fast ? product : null);
          const least = Math.floor((2 * check.window(ringBits, droppedBits)) / 2 ** droppedBits + 0.5) + 1;
          const at = Math.floor(where * top.length);
          const off = BigInt(least + Math.floor(where * (2 ** sentBits - 2 * least)));
          top[at] = (top[at] + off) & lowBits(sentBits);
          const found = await check.faultyRow({ x, tops: [top], rows, ringBits, droppedBits });
          assert.equal(found, Math.floor(at / outputs));
        },
      ),
    );
  });

  it("finds half the ring in two words, which vectors of 1 and -1 never would, but for 2^-vectors", async () => {
    const [inputs, outputs, ringBits, droppedBits] = [8, 30, 33, 17];
    const integers = Int32Array.from({ length: inputs * outputs }, (_, at) => (at * 7919) % 65536);
    const x = new BigUint64Array(inputs).map((_, i) => BigInt(i) * 987654321n);
    const top = honest(x, integers, inputs, ringBits, droppedBits);
    for (const at of [3, 17]) top[at] ^= 1n << 15n;
    const answers = { x, tops: [top], rows: 1, ringBits, droppedBits };
    for (const vectors of [1, 2, 4]) {
      const trials = 4000;
      let missed = 0;
      for (let seed = 0; seed < trials; seed++) {
        const check = AnswerCheck.make([rowsOf(integers, inputs)], secretsOf(seed, vectors));
        if ((await check.faultyRow(answers)) === null) missed++;
      }
      // This lie is at the bound: missed where each vector takes both words or neither. Six standard deviations.
      const [rate, bound] = [missed / trials, 2 ** -vectors];
      assert.ok(Math.abs(rate - bound) < 6 * Math.sqrt((bound * (1 - bound)) / trials), `${vectors}: ${rate}`);
    }
  });

  it("finds planted faults as often as stated, every bit of a word included", async () => {
    const table = await plantedFaults({ inputs: 64, outputs: 512, rows: 9, trials: 12 }, product);
    for (const { fault, unitsOff, window, found, planted } of table) {
      const sure = unitsOff > 2 * window + 0.5;
      assert.ok(!sure || found === planted, `${fault}: ${found} of ${planted}`);
    }
    const by = (name: string) => table.find(({ fault }) => fault === name)!;
    // The lowest bit is what an honest rounding could be: a check that finds it would refuse honest rows.
    assert.equal(by("bit 0").found, 0);
    assert.ok(by("bit 15").unitsOff > 2 * by("bit 15").window + 0.5);
    assert.ok(by("bit 15").window < 2 * Math.sqrt(512), "what the docs say");
    for (const fault of ["two rows swapped", "an answer to another mask", "two words off by what cancels"])
      assert.equal(by(fault).found, by(fault).planted, fault);
  });

  it("says what it can't check", async () => {
    const check = AnswerCheck.make([rowsOf(new Int32Array(600).fill(3), 2)], secretsOf(1));
    const answers = {
      x: new BigUint64Array(2),
      tops: [new BigUint64Array(300)],
      rows: 1,
      ringBits: 33,
      droppedBits: 17,
    };
    await assert.rejects(
      check.faultyRow({ ...answers, rows: 2 }),
      /expected 2 \* 2 words in and 2 \* \[300\] out, got 2 and \[300\]/,
    );
    await assert.rejects(check.faultyRow({ ...answers, ringBits: 51 }), /at most 50 bits, got 51/);
    await assert.rejects(check.faultyRow({ ...answers, droppedBits: 28 }), /send more bits of a word/);
    assert.throws(() => secretsOf(1, 22).of(0, 5), /expected 1 to 21, got 22/);
    const other = rowsOf(new Int32Array(9), 3);
    assert.throws(
      () => AnswerCheck.make([rowsOf(new Int32Array(8), 2), other], secretsOf(1)),
      /matrices of 2 inputs, got 2, 3/,
    );
  });
});
