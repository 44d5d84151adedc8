import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { exponential } from "../../../protocols/smpc/factors/exponential.ts";
import { exp, expTable } from "../../../protocols/smpc/gates/exp.ts";
import type { InstructionOf } from "../../../protocols/smpc/plan/instruction.ts";
import type { ValueInfo } from "../../../protocols/smpc/plan/value.ts";
import { runGate } from "./gate-bench.ts";
import { anySetting } from "./gate-values.ts";

interface Cut {
  readonly bits: number;
  readonly fracBits: number;
  readonly temperature: number;
  readonly from: number;
  readonly windows: number;
  readonly tableFracBits: number;
  readonly wordFracBits: number;
  readonly ringBits: number;
}

const instructionOf = ({ temperature, from, windows, tableFracBits, wordFracBits }: Cut): InstructionOf<"exp"> => ({
  gate: "exp",
  x: 0,
  out: 1,
  temperature,
  from,
  windows,
  tableFracBits,
  wordFracBits,
});

const infoOf = ({ bits, fracBits, tableFracBits, wordFracBits, ringBits }: Cut, columns: number): ValueInfo[] => [
  { kind: "wire", rows: 1, columns, bits, fracBits },
  { kind: "share", rows: 1, columns, ringBits, fracBits: tableFracBits + wordFracBits },
];

/** First and last unit of the interval. */
function ends({ bits, fracBits, from, windows }: Cut): [bigint, bigint] {
  const first = Math.ceil(from * 2 ** fracBits);
  const beyond = (from + 2 ** (bits - fracBits) * (1 - 1 / windows)) * 2 ** fracBits;
  return [BigInt(first), BigInt(Math.ceil(beyond) - 1)];
}

const anyCut: fc.Arbitrary<Cut> = fc
  .record({
    bits: fc.integer({ min: 7, max: 12 }),
    periodBits: fc.integer({ min: 0, max: 7 }),
    temperature: fc.double({ min: 0.3, max: 9, noNaN: true }),
    low: fc.double({ min: -1.4, max: 0, noNaN: true }),
    windows: fc.integer({ min: 2, max: 12 }),
    tableFracBits: fc.integer({ min: 4, max: 45 }),
    wordFracBits: fc.integer({ min: 0, max: 20 }),
    ringBits: fc.integer({ min: 1, max: 64 }),
  })
  .map(({ periodBits, low, ...cut }) => ({ ...cut, fracBits: cut.bits - periodBits, from: low * 2 ** periodBits }));

describe("exp", () => {
  it("is within its error units of the clear reading on the whole interval and its ends, for n = 2, 3, 4", async () => {
    const cases = anyCut.chain((cut) => {
      const [low, high] = ends(cut);
      const value = fc.oneof(fc.constantFrom(low, high), fc.bigInt({ min: low, max: high }));
      return fc.array(value, { minLength: 16, maxLength: 16 }).map((x) => ({ cut, x }));
    });
    await fc.assert(
      fc.asyncProperty(cases, anySetting, async ({ cut, x }, setting) => {
        const { dealtBits } = await runGate(exp, instructionOf(cut), infoOf(cut, 16), { 0: x }, setting);
        assert.equal(dealtBits, 16 * cut.windows * cut.ringBits);
      }),
      { numRuns: 150 },
    );
  });

  it("gives softmax weights to 12 bits with four windows of 16 nats", async () => {
    const cut: Cut = {
      bits: 16,
      fracBits: 10,
      temperature: 1,
      from: -47,
      windows: 4,
      tableFracBits: 34,
      wordFracBits: 13,
      ringBits: 60,
    };
    const [low, high] = ends(cut);
    const x = Array.from({ length: 5000 }, (_, i) => low + ((high - low) * BigInt(i)) / 4999n);
    const { out } = await runGate(
      exp,
      instructionOf(cut),
      infoOf(cut, x.length),
      { 0: x },
      { parties: 2, seed: "exp" },
    );
    x.forEach((units, i) => {
      const expected = Math.exp(Number(units) / 1024);
      const error = Math.abs(Number(out[i]) / 2 ** 47 - expected);
      assert.ok(error <= 2 ** -14 + expected * 2 ** -11.9, `x ${Number(units) / 1024}: ${error}`);
    });
  });

  it("is right for every value of its interval under every mask of 6 bits, and wrong just above it", async () => {
    for (const windows of [2, 3, 4, 7, 8]) {
      const cut: Cut = {
        bits: 6,
        fracBits: 3,
        temperature: 1,
        from: -5,
        windows,
        tableFracBits: 30,
        wordFracBits: 12,
        ringBits: 60,
      };
      const [low, high] = ends(cut);
      const spare = low + 64n - BigInt(Math.ceil(64 / windows)) - high;
      for (let x = low; x <= high + spare + 1n; x++) {
        const same = Array.from({ length: 400 }, () => x); // masks are random: 400 draws of 64 values
        const setting = { parties: 2, seed: `${windows} ${x}`, anyError: x > high + spare };
        const { largestErrorUnits } = await runGate(exp, instructionOf(cut), infoOf(cut, 400), { 0: same }, setting);
        // One unit is to spare, or more where windows don't divide the ring. Above, under the mask that puts X' at the bottom of a window, it is taken for a value a period lower.
        if (x > high + spare) assert.ok(Number(largestErrorUnits) > 0.99 * 2 ** 42 * Math.exp(Number(x) / 8));
      }
    }
  });

  it("refuses fewer than two windows, and more than there are units", async () => {
    const cut: Cut = {
      bits: 3,
      fracBits: 3,
      temperature: 1,
      from: -1,
      windows: 1,
      tableFracBits: 8,
      wordFracBits: 8,
      ringBits: 30,
    };
    for (const windows of [1, 7, 16]) {
      const wrong = { ...cut, windows };
      const run = runGate(exp, instructionOf(wrong), infoOf(wrong, 1), { 0: [-1n] }, { parties: 2, seed: "no" });
      await assert.rejects(run, /exp: expected 2 or more windows/);
    }
  });
});

describe("exponential", () => {
  it("is within 2^-50 of Math.exp, and exact powers do not drift", () => {
    fc.assert(
      fc.property(fc.double({ min: -690, max: 690, noNaN: true }), (x) => {
        assert.ok(Math.abs(exponential(x) / Math.exp(x) - 1) < 2 ** -50);
      }),
    );
    assert.equal(exponential(0), 1);
    assert.throws(() => exponential(701), /expected at most 700/);
    assert.throws(() => exponential(Number.NaN), RangeError);
  });

  it("makes tables that start at 1 and fall", () => {
    const table = expTable(
      { gate: "exp", x: 0, out: 1, temperature: 2, from: 0, windows: 4, tableFracBits: 20, wordFracBits: 1 },
      { kind: "wire", rows: 1, columns: 1, bits: 10, fracBits: 6 },
    ).make();
    assert.equal(table.length, 256);
    assert.equal(table[0], 1n << 20n);
    for (let i = 1; i < table.length; i++) assert.ok(table[i] < table[i - 1]);
    assert.equal(Number(table[128]), Math.round(2 ** 20 * Math.exp(-1)));
  });
});
