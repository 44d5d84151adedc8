import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { squares } from "../../../protocols/smpc/gates/squares.ts";
import { runGate, signedMod } from "./gate-bench.ts";
import { anySetting, narrowValues, shareInfo, wireInfo } from "./gate-values.ts";

const sumsOfSquares = (x: readonly bigint[], width: number): bigint[] =>
  Array.from({ length: x.length / width }, (_, group) =>
    x.slice(group * width, (group + 1) * width).reduce((sum, value) => sum + value * value, 0n),
  );

describe("squares", () => {
  it("sums the squares of every group in any ring, for n = 2, 3, 4", async () => {
    const cases = fc
      .record({
        bits: fc.integer({ min: 3, max: 30 }),
        ringBits: fc.integer({ min: 1, max: 64 }),
        width: fc.constantFrom(1, 3, 4, 12),
      })
      .chain((sizes) => narrowValues(24, sizes.bits).map((x) => ({ ...sizes, x })));
    await fc.assert(
      fc.asyncProperty(cases, anySetting, async ({ bits, ringBits, width, x }, setting) => {
        const values = [wireInfo(2, 12, bits), shareInfo(2, 12 / width, ringBits)];
        const instruction = { gate: "squares", x: 0, out: 1, width } as const;
        const { out, dealtBits } = await runGate(squares, instruction, values, { 0: x }, setting);
        assert.deepEqual(
          out,
          sumsOfSquares(x, width).map((sum) => signedMod(sum, ringBits)),
        );
        assert.equal(dealtBits, 3 * 24 * Math.max(0, ringBits - bits - 1) + (24 / width) * ringBits);
      }),
      { numRuns: 60 },
    );
  });

  it("works through several tiles", async () => {
    const x = Array.from({ length: 768 * 19 }, (_, i) => BigInt((i * 37) % 1024) - 512n);
    const values = [wireInfo(19, 768, 11), shareInfo(19, 1, 40)];
    const instruction = { gate: "squares", x: 0, out: 1, width: 768 } as const;
    const { out } = await runGate(squares, instruction, values, { 0: x }, { parties: 3, seed: "tiles" });
    assert.deepEqual(out, sumsOfSquares(x, 768));
  });

  it("refuses groups that don't fit", async () => {
    const values = [wireInfo(2, 12, 11), shareInfo(2, 2, 40)];
    const instruction = { gate: "squares", x: 0, out: 1, width: 5 } as const;
    const x = Array.from({ length: 24 }, () => 1n);
    await assert.rejects(
      runGate(squares, instruction, values, { 0: x }, { parties: 2, seed: "groups" }),
      /squares: expected groups of 5 columns, got 4 of 24 words/,
    );
  });
});
