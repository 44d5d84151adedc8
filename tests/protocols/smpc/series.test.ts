import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { series } from "../../../protocols/smpc/gates/series.ts";
import type { InstructionOf } from "../../../protocols/smpc/plan/instruction.ts";
import type { Series } from "../../../protocols/smpc/fit/series.ts";
import type { ValueInfo } from "../../../protocols/smpc/plan/value.ts";
import { cosines, integerCosines } from "../../../protocols/smpc/factors/turn-table.ts";
import { runGate } from "./gate-bench.ts";
import { anySetting, ringValues } from "./gate-values.ts";

interface Cut {
  readonly bits: number;
  readonly periodBits: number;
  readonly tableFracBits: number;
  readonly wordFracBits: number;
  readonly ringBits: number;
  readonly harmonics: readonly number[];
  readonly amplitudes: readonly (readonly [cos: number, sin: number])[];
  readonly coarserBits?: readonly number[];
}

const anyAmplitude = fc.tuple(
  fc.double({ min: -40, max: 40, noNaN: true }),
  fc.double({ min: -1, max: 1, noNaN: true }),
);
const anyCut: fc.Arbitrary<Cut> = fc
  .record({
    bits: fc.integer({ min: 3, max: 13 }),
    periodBits: fc.integer({ min: -4, max: 12 }),
    tableFracBits: fc.integer({ min: 1, max: 20 }),
    wordFracBits: fc.integer({ min: 0, max: 22 }),
    ringBits: fc.integer({ min: 1, max: 64 }),
    terms: fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 500 }), anyAmplitude), {
      minLength: 1,
      maxLength: 9,
      selector: ([harmonic]) => harmonic,
    }),
  })
  .map(({ terms, ...cut }) => ({
    ...cut,
    harmonics: terms.map(([harmonic]) => harmonic).toSorted((a, b) => a - b),
    amplitudes: terms.map(([, amplitude]) => amplitude),
  }));

function cutSeries(cut: Cut): { instruction: InstructionOf<"series">; values: (length: number) => ValueInfo[] } {
  const { bits, periodBits, tableFracBits, wordFracBits, ringBits, harmonics, amplitudes, coarserBits } = cut;
  const [cos, sin] = [amplitudes.map(([c]) => c), amplitudes.map(([, s]) => s)];
  const f: Series = { name: "any", periodBits, constant: -3.25, harmonics, cos, sin, maxError: 0, from: 0, to: 0 };
  const shape = { rows: 1 };
  return {
    instruction: { gate: "series", x: 0, out: 1, series: f, tableFracBits, wordFracBits, coarserBits },
    values: (columns) => [
      { ...shape, kind: "wire", columns, bits, fracBits: bits - periodBits },
      { ...shape, kind: "share", columns, ringBits, fracBits: tableFracBits + wordFracBits },
    ],
  };
}

describe("series", () => {
  it("is within its error units of the clear reading on the whole ring, for n = 2, 3, 4", async () => {
    const cases = anyCut.chain((cut) => ringValues(16, cut.bits).map((x) => ({ cut, x })));
    await fc.assert(
      fc.asyncProperty(cases, anySetting, async ({ cut, x }, setting) => {
        const { instruction, values } = cutSeries(cut);
        const { dealtBits } = await runGate(series, instruction, values(16), { 0: x }, setting);
        assert.equal(dealtBits, 2 * 16 * cut.harmonics.length * cut.ringBits);
      }),
      { numRuns: 100 },
    );
  });

  it("deals fewer bits where a harmonic's table is coarser, within its error units all the same", async () => {
    const cases = anyCut.chain((cut) =>
      fc.record({
        cut: fc.constant(cut),
        coarserBits: fc.array(fc.integer({ min: 0, max: cut.tableFracBits }), {
          minLength: cut.harmonics.length,
          maxLength: cut.harmonics.length,
        }),
        x: ringValues(16, cut.bits),
      }),
    );
    await fc.assert(
      fc.asyncProperty(cases, anySetting, async ({ cut, coarserBits, x }, setting) => {
        const { instruction, values } = cutSeries({ ...cut, coarserBits });
        const { dealtBits } = await runGate(series, instruction, values(16), { 0: x }, setting);
        const words = coarserBits.reduce((sum, coarser) => sum + Math.max(1, cut.ringBits - coarser), 0);
        assert.equal(dealtBits, 2 * 16 * words);
      }),
      { numRuns: 100 },
    );
  });

  it("refuses tables that are coarser than they have bits, and other numbers of them", async () => {
    const cut: Cut = {
      bits: 8,
      periodBits: 4,
      tableFracBits: 6,
      wordFracBits: 6,
      ringBits: 20,
      harmonics: [1],
      amplitudes: [[1, 0]],
    };
    for (const coarserBits of [[7], [-1], [0.5], [1, 1]]) {
      const { instruction, values } = cutSeries({ ...cut, coarserBits });
      await assert.rejects(
        runGate(series, instruction, values(1), { 0: [0n] }, { parties: 2, seed: "" }),
        /series: expected (tables coarser by 0 to 6|coarser bits of 1)/,
      );
    }
  });

  it("takes wires whose table has more than 2^20 entries", async () => {
    const cut: Cut = {
      bits: 21,
      periodBits: 9,
      tableFracBits: 16,
      wordFracBits: 14,
      ringBits: 50,
      harmonics: [1, 200],
      amplitudes: [
        [2, 0.5],
        [0, -0.01],
      ],
    };
    const { instruction, values } = cutSeries(cut);
    const x = Array.from({ length: 50 }, (_, i) => (1n << 20n) - BigInt(i) ** 3n);
    await runGate(series, instruction, values(50), { 0: x }, { parties: 3, seed: "large" });
  });

  it("reads the function that the series describes, in the clear and as parties", async () => {
    const f: Series = {
      name: "hand-made",
      periodBits: 3,
      constant: 0.5,
      harmonics: [1, 3],
      cos: [2, 0],
      sin: [0, -0.75],
      maxError: 0,
      from: -4,
      to: 4,
    };
    const x = Array.from({ length: 128 }, (_, i) => BigInt(i) - 64n);
    const values: ValueInfo[] = [
      { kind: "wire", rows: 1, columns: 128, bits: 7, fracBits: 4 },
      { kind: "share", rows: 1, columns: 128, ringBits: 40, fracBits: 28 },
    ];
    const instruction = { gate: "series", x: 0, out: 1, series: f, tableFracBits: 14, wordFracBits: 14 } as const;
    const { clear, out } = await runGate(series, instruction, values, { 0: x }, { parties: 3, seed: "hand" });
    x.forEach((units, i) => {
      const angle = (Math.PI / 4) * (Number(units) / 16);
      const expected = 0.5 + 2 * Math.cos(angle) - 0.75 * Math.sin(3 * angle);
      assert.ok(Math.abs(Number(clear[i]) / 2 ** 28 - expected) < 1e-8);
      assert.ok(Math.abs(Number(out[i]) / 2 ** 28 - expected) < 4e-4);
    });
  });

  it("has error units that are not ten times what happens", async () => {
    const cut: Cut = {
      bits: 16,
      periodBits: 6,
      tableFracBits: 13,
      wordFracBits: 12,
      ringBits: 48,
      harmonics: [1, 3, 5, 7],
      amplitudes: [
        [-6, 0],
        [-0.7, 0],
        [0.2, 0],
        [0.04, 0],
      ],
    };
    const { instruction, values } = cutSeries(cut);
    const x = Array.from({ length: 20_000 }, (_, i) => BigInt((i * 12_345) % 65_536) - 32_768n);
    const setting = { parties: 2, seed: "tight" };
    const { largestErrorUnits } = await runGate(series, instruction, values(x.length), { 0: x }, setting);
    const allowed = series.errorUnits(instruction, { info: (id) => values(1)[id], parties: 2 });
    assert.ok(Number(largestErrorUnits) > allowed / 10, `${largestErrorUnits} of ${allowed}`);
  });

  it("refuses a wire whose modulus is not the period, and a share", async () => {
    const cut: Cut = {
      bits: 8,
      periodBits: 4,
      tableFracBits: 8,
      wordFracBits: 8,
      ringBits: 30,
      harmonics: [1],
      amplitudes: [[1, 0]],
    };
    const { instruction, values } = cutSeries(cut);
    const [wire, share] = values(1);
    const run = (infos: ValueInfo[]): Promise<unknown> =>
      runGate(series, instruction, infos, { 0: [1n] }, { parties: 2, seed: "no" });
    await assert.rejects(run([{ ...wire, fracBits: 5 }, share]), /expected a wire of 4 \+ fracBits bits/);
    await assert.rejects(run([share, share]), /expected a wire, got a share/);
  });
});

describe("turn table", () => {
  it("has cosines within 2^-50, exactly symmetric, and integers that round them", () => {
    for (const bits of [2, 3, 9, 16]) {
      const table = cosines(bits);
      const length = 2 ** bits;
      table.forEach((value, i) => {
        assert.ok(Math.abs(value - Math.cos((2 * Math.PI * i) / length)) < 2 ** -50);
        assert.equal(value, table[(length - i) % length]);
        assert.equal(value + table[(i + length / 2) % length], 0);
      });
      integerCosines(bits, 13)
        .make()
        .forEach((value, i) => assert.ok(Math.abs(value - table[i] * 2 ** 13) <= 0.5));
    }
    assert.deepEqual([...integerCosines(2, 13).make()], [8192, 0, -8192, 0]);
  });
});
