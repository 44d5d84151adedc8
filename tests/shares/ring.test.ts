import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Generator } from "../../shares/generator.ts";
import { TILE_WORDS } from "../../shares/kernel-memory.ts";
import { ring } from "../../shares/ring.ts";
import { ringHalves } from "../../shares/ring-halves.ts";
import { ringReference, type RingKernels } from "../../shares/ring-reference.ts";
import { lowBits, type Words } from "../../shares/words.ts";

/** Lengths at which an implementation changes what it does: none, odd ones, the shortest for tiles, whole tiles and some more. */
const LENGTHS = [0, 1, 2, 7, 8, 63, 64, 65, 127, 900, TILE_WORDS - 1, TILE_WORDS, TILE_WORDS + 1, 2 * TILE_WORDS + 3];

const word = fc.oneof(
  fc.bigInt({ min: 0n, max: lowBits(64) }),
  fc.integer({ min: 0, max: 64 }).map((bits) => lowBits(bits)),
  fc.integer({ min: 0, max: 63 }).map((bits) => 1n << BigInt(bits)),
);
const anyLength = fc.constantFrom(...LENGTHS);
const width = fc.constantFrom(1, 2, 3, 8, 64, 100, TILE_WORDS, TILE_WORDS + 1);

/** Few and many segments, some empty, some longer than a tile. */
const raggedSizes = fc.oneof(
  fc.array(fc.nat(90), { maxLength: 150 }),
  fc.array(fc.constantFrom(0, 1, 100, TILE_WORDS - 100, TILE_WORDS), { maxLength: 5 }),
  fc.array(fc.constantFrom(0, 3, TILE_WORDS + 1), { maxLength: 3 }),
  fc.constant(Array.from({ length: TILE_WORDS + 5 }, (_, i) => i % 2)),
);

/** Words of the full range, with all-ones, 0, 2^31, 2^32 and 2^63 among them. */
function words(length: number, seed: string): Words {
  const out = new BigUint64Array(length);
  new Generator(seed, "words").fillWords(out, 64);
  const edges = [lowBits(64), 0n, lowBits(32), 1n << 31n, 1n << 32n, 1n << 63n];
  for (let i = 0; i < length; i += 5) out[i] = edges[(i / 5) % edges.length];
  return out;
}

/** One call of a kernel, with the words of its result. */
type Call = (kernels: RingKernels) => ArrayLike<unknown>;

function agree(kernels: RingKernels, call: Call): void {
  assert.deepEqual(call(kernels), call(ringReference));
}

/** A call that writes to `length` words. */
const into =
  (length: number, write: (kernels: RingKernels, out: Words) => void): Call =>
  (kernels) => {
    const out = new BigUint64Array(length).fill(77n);
    write(kernels, out);
    return out;
  };

const RUNS = { numRuns: 60 };

for (const [name, kernels] of [
  ["WebAssembly", ring],
  ["32-bit halves", { ...ring, ...ringHalves }],
] as const)
  describe(`ring kernels: ${name}`, () => {
    it("add, subtract, multiply and scale as defined, in place too", () => {
      fc.assert(
        fc.property(anyLength, fc.string(), word, word, (length, seed, factor, addend) => {
          const [a, b] = [words(length, `a${seed}`), words(length, `b${seed}`)];
          agree(
            kernels,
            into(length, (k, out) => k.add(out, a, b)),
          );
          agree(
            kernels,
            into(length, (k, out) => k.subtract(out, a, b)),
          );
          agree(
            kernels,
            into(length, (k, out) => k.multiply(out, a, b)),
          );
          agree(
            kernels,
            into(length, (k, out) => k.addScaled(out, a, b, -factor)),
          );
          agree(
            kernels,
            into(length, (k, out) => k.scale(out, a, factor, -addend)),
          );
          for (const operation of ["add", "subtract", "multiply"] as const)
            agree(kernels, (k) => {
              const [left, right] = [a.slice(), b.slice()];
              k[operation](left, left, b);
              k[operation](right, a, right);
              return [...left, ...right];
            });
        }),
        RUNS,
      );
    });

    it("multiply and add by columns and segments as defined", () => {
      fc.assert(
        fc.property(width, fc.integer({ min: 0, max: 70 }), fc.string(), (columns, rows, seed) => {
          const length = columns * (columns > 100 ? Math.min(rows, 3) : rows);
          const x = words(length, seed);
          const [factors, each] = [words(columns, `f${seed}`), words(length / columns, `g${seed}`)];
          agree(
            kernels,
            into(length, (k, out) => k.multiplyColumns(out, x, factors)),
          );
          agree(
            kernels,
            into(length, (k, out) => k.addColumns(out, x, factors)),
          );
          agree(
            kernels,
            into(length, (k, out) => k.multiplySegments(out, x, each, columns)),
          );
          agree(
            kernels,
            into(length / columns, (k, out) => k.sumSegments(out, x, columns)),
          );
        }),
        RUNS,
      );
    });

    it("sum and subtract over ragged segments as defined", () => {
      fc.assert(
        fc.property(raggedSizes, fc.constantFrom(0, 1), fc.string(), (sizes, skipped, seed) => {
          const offsets = Int32Array.of(skipped, ...sizes);
          for (let i = 1; i < offsets.length; i++) offsets[i] += offsets[i - 1];
          const length = offsets[sizes.length] + skipped;
          const [x, values] = [words(length, seed), words(sizes.length, `v${seed}`)];
          agree(
            kernels,
            into(sizes.length, (k, out) => k.sumRagged(out, x, offsets)),
          );
          agree(
            kernels,
            into(length, (k, out) => k.subtractRagged(out, x, values, offsets)),
          );
        }),
      );
    });

    it("shift and reduce canonical residues as defined, for every ring and every shift", () => {
      for (const length of [3, 130])
        for (let ringBits = 0; ringBits <= 64; ringBits++)
          for (let bits = 0; bits <= 64; bits++) {
            const x = words(length, `${ringBits}`);
            agree(
              kernels,
              into(length, (k, out) => k.shiftRight(out, x, ringBits, bits, (1n << 63n) + 5n)),
            );
          }
      for (const length of LENGTHS) {
        const x = words(length, "reduce");
        agree(
          kernels,
          into(length, (k, out) => k.shiftRight(out, x, 41, 13, -3n)),
        );
        agree(
          kernels,
          into(length, (k, out) => k.reduce(out, x, 33)),
        );
      }
    });

    it("pack and unpack words of every width from every bit as defined", () => {
      for (let bits = 0; bits <= 64; bits++)
        for (const length of [0, 5, 64, 131]) {
          const x = words(length, `${bits}`);
          agree(kernels, (k) => k.pack(x, bits));
          for (const bitOffset of [0, 1, 7, 8, 45]) {
            const bytes = new Uint8Array(words(length + 8, "bytes").buffer).subarray(3);
            agree(
              kernels,
              into(length, (k, out) => k.unpack(out, bytes, bits, bitOffset)),
            );
          }
        }
      for (const length of LENGTHS)
        for (const bits of [1, 13, 57, 58, 63, 64]) {
          const x = words(length, `${bits}`);
          agree(kernels, (k) => k.pack(x, bits));
          const packed = ringReference.pack(x, bits);
          agree(
            kernels,
            into(length, (k, out) => k.unpack(out, packed, bits, 0)),
          );
        }
    });

    it("encode and decode real numbers as defined", () => {
      const real = fc.oneof(
        fc.double({ noNaN: true, min: -(2 ** 40), max: 2 ** 40 }),
        fc.integer().map((n) => n / 2),
        fc.constantFrom(
          0,
          -0,
          2 ** 51 - 0.5,
          2 ** 51 + 0.5,
          2 ** 52 - 0.5,
          0.5,
          1.5,
          -0.5,
          -2.5,
          -(2 ** 51) - 0.5,
          2 ** 52 + 1,
          -(2 ** 53) + 1,
          2 ** 62 - 512,
        ),
      );
      fc.assert(
        fc.property(fc.array(real), fc.integer({ min: 0, max: 20 }), (values, fracBits) => {
          const fitting = values.filter((value) => Math.abs(value) * 2 ** fracBits < 2 ** 62);
          agree(
            kernels,
            into(fitting.length, (k, out) => k.encode(out, fitting, fracBits)),
          );
        }),
      );
      for (let ringBits = 1; ringBits <= 64; ringBits++)
        agree(kernels, (k) => {
          const out = new Float64Array(90);
          k.decode(out, words(90, `${ringBits}`), ringBits, 11);
          return out;
        });
    });

    it("refuse operands of differing length, short streams and numbers out of range", () => {
      for (const length of [2, 200]) {
        const [x, longer] = [new BigUint64Array(length), new BigUint64Array(length + 1)];
        for (const call of [
          () => kernels.add(x, x, longer),
          () => kernels.subtract(x, longer, x),
          () => kernels.multiply(longer, x, x),
          () => kernels.addScaled(x, x, longer, 1n),
          () => kernels.scale(x, longer, 1n, 0n),
          () => kernels.shiftRight(x, longer, 8, 1, 0n),
          () => kernels.multiplySegments(x, x, longer, 1),
          () => kernels.sumSegments(x, longer, 1),
          () => kernels.multiplyColumns(x, longer, x),
          () => kernels.addColumns(x, longer, x),
        ])
          assert.throws(call, /ring kernel: expected operands of one length, got \d/);
        assert.throws(() => kernels.unpack(x, new Uint8Array(length), 8, 1), /unpack: expected \d+ bits, got \d+/);
      }
      for (const value of [2 ** 62, Infinity, NaN])
        assert.throws(() => kernels.encode(new BigUint64Array(1), [value], 0), {
          message: "fixed point: expected a magnitude below 2^62 units of 2^-0, got one beyond",
        });
    });
  });
