import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Generator } from "../../shares/generator.ts";
import { packedSeriesSums, pickPackedWords, seriesWords } from "../../shares/packed-series.ts";
import { ringReference } from "../../shares/ring-reference.ts";
import { lowBits, type Words } from "../../shares/words.ts";

function words(length: number, bits: number, seed: string): Words {
  const out = new BigUint64Array(length);
  new Generator(seed, "words").fillWords(out, bits);
  return out;
}

/** Words packed from a bit on, with other bits before and after. */
function packed(values: Words, bits: number, bitOffset: number): Uint8Array {
  const all = [...values].reduceRight((sum, value) => (sum << BigInt(bits)) | value, 0n);
  const bytes = Buffer.from(
    ((all << BigInt(bitOffset)) | lowBits(bitOffset))
      .toString(16)
      .padStart(2, "0")
      .replace(/^(.(..)*)$/, "0$1"),
    "hex",
  ).reverse();
  const whole = new Uint8Array(Math.ceil((bitOffset + values.length * bits) / 8) + 2).fill(0xff);
  whole.fill(0, 0, whole.length - 2);
  whole.set(bytes.subarray(0, whole.length - 2));
  return whole;
}

/** From tables that are copied to the kernels at once to ones that never are. */
const tableBits = fc.constantFrom(2, 3, 10, 17, 18, 22);
const harmonicsOf = fc.uniqueArray(fc.integer({ min: 1, max: 600 }), { minLength: 1, maxLength: 12 });

describe("series over packed words", () => {
  it("adds up table entries times words as defined, from any bit, at any width", () => {
    fc.assert(
      fc.property(
        tableBits,
        harmonicsOf,
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 0, max: 20 }),
        fc.integer({ min: 0, max: 30 }),
        fc.string(),
        (k, harmonics, bits, bitOffset, count, seed) => {
          const size = 2 ** k;
          const table = new Int32Array(words(size / 2, 64, `t${seed}`).buffer);
          const x = words(count, 64, `x${seed}`);
          const w = words(count * 2 * harmonics.length, bits, `w${seed}`);
          const out = new BigUint64Array(count);
          const stream = packed(w, bits, bitOffset);
          packedSeriesSums(out, x, { bytes: stream, bitOffset }, bits, table, Int32Array.from(harmonics));
          let at = 0;
          for (let i = 0; i < count; i++) {
            let sum = 0n;
            for (const h of harmonics) {
              const angle = BigInt(h) * x[i] + BigInt(size);
              sum += BigInt(table[Number(angle % BigInt(size))]) * w[at++];
              sum += BigInt(table[Number((angle - BigInt(size / 4)) % BigInt(size))]) * w[at++];
            }
            assert.equal(out[i], BigInt.asUintN(64, sum));
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it("gives the same words for many elements as for one at a time", () => {
    const [count, bits, harmonics] = [9000, 33, Int32Array.of(1, 3, 5)];
    const table = Int32Array.from({ length: 256 }, (_, i) => Math.round(1000 * Math.cos((2 * Math.PI * i) / 256)));
    const x = words(count, 8, "x");
    const stream = new Generator("w", "w").packedWords(count * 6, bits);
    const all = new BigUint64Array(count);
    packedSeriesSums(all, x, stream, bits, table, harmonics);
    for (let i = 0; i < count; i += 997) {
      const one = new BigUint64Array(1);
      const bitOffset = i * 6 * bits;
      packedSeriesSums(one, x.subarray(i, i + 1), { bytes: stream.bytes, bitOffset }, bits, table, harmonics);
      assert.equal(one[0], all[i]);
    }
  });

  it("deals the rounded words that the sums need", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(6, 18),
        harmonicsOf,
        fc.integer({ min: 0, max: 2500 }),
        fc.string(),
        (k, harmonics, count, seed) => {
          const size = 2 ** k;
          const table = Float64Array.from({ length: size }, (_, i) => Math.cos((2 * Math.PI * i) / size));
          const masks = words(count, k, seed);
          const cos = Float64Array.from(harmonics, (h) => 2 ** 20 / h);
          const sin = Float64Array.from(harmonics, (h) => -3 * h);
          const out = new BigUint64Array(count * 2 * harmonics.length);
          seriesWords(out, masks, table, { harmonics: Int32Array.from(harmonics), cos, sin });
          const expected = new BigUint64Array(out.length);
          const values = [...masks].flatMap((r) =>
            harmonics.flatMap((h, j) => {
              const [c, s] = [table[(h * Number(r)) % size], table[(h * Number(r) + (3 * size) / 4) % size]];
              return [cos[j] * c - sin[j] * s, cos[j] * s + sin[j] * c];
            }),
          );
          ringReference.encode(expected, values, 0);
          assert.deepEqual(out, expected);
        },
      ),
      { numRuns: 20 },
    );
  });

  it("picks one word of each group", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 0, max: 9 }),
        fc.array(fc.nat(1000), { maxLength: 50 }),
        fc.string(),
        (width, bits, bitOffset, numbers, seed) => {
          const choice = Uint32Array.from(numbers, (n) => n % width);
          const w = words(numbers.length * width, bits, seed);
          const out = new BigUint64Array(numbers.length);
          pickPackedWords(out, choice, width, { bytes: packed(w, bits, bitOffset), bitOffset }, bits);
          assert.deepEqual(
            [...out],
            [...choice].map((chosen, i) => w[i * width + chosen]),
          );
        },
      ),
    );
  });

  it("refuses short streams, odd tables, no harmonics and choices outside their group", () => {
    const [out, table, one] = [new BigUint64Array(3), new Int32Array(8), Int32Array.of(1)];
    const stream = { bytes: new Uint8Array(6), bitOffset: 0 };
    packedSeriesSums(out, out, stream, 8, table, one);
    const refused = (call: () => void, message: RegExp): void => assert.throws(call, message);
    refused(() => packedSeriesSums(out, out, { ...stream, bitOffset: 1 }, 8, table, one), /expected 49 bits, got 48/);
    refused(() => packedSeriesSums(out, new BigUint64Array(2), stream, 8, table, one), /expected 2 words, got 3/);
    refused(() => packedSeriesSums(out, out, stream, 8, new Int32Array(6), one), /expected a table of a power of two/);
    refused(
      () => packedSeriesSums(out, out, stream, 8, table, new Int32Array(0)),
      /expected 1 to 2048 harmonics, got 0/,
    );
    refused(() => pickPackedWords(out, Uint32Array.of(0, 2, 0), 2, stream, 8), /expected a choice below 2, got 2/);
    refused(() => pickPackedWords(out, Uint32Array.of(0, 0), 2, stream, 8), /expected 3 choices, got 2/);
    refused(() => pickPackedWords(out, Uint32Array.of(0, 0, 0), 2, stream, 9), /expected 54 bits, got 48/);
  });
});
