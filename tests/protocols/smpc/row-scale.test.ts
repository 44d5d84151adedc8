import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { rowScale } from "../../../protocols/smpc/gates/row-scale.ts";
import { runGate, signedMod } from "./gate-bench.ts";
import { anySetting, narrowValues, ringValues, shareInfo, wireInfo } from "./gate-values.ts";

const scaled = (x: readonly bigint[], scale: readonly bigint[], width: number): bigint[] =>
  x.map((value, index) => value * scale[Math.floor(index / width)]);

describe("row-scale", () => {
  it("scales every group in any ring, whether the scale is wide or narrow, for n = 2, 3, 4", async () => {
    const cases = fc
      .record({
        bits: fc.integer({ min: 3, max: 30 }),
        scaleBits: fc.integer({ min: 3, max: 50 }),
        ringBits: fc.integer({ min: 1, max: 64 }),
        width: fc.constantFrom(1, 3, 4, 12),
      })
      .chain((sizes) => {
        const { scaleBits, ringBits, width, bits } = sizes;
        const isWide = scaleBits >= ringBits;
        // A wide scale may be any residue.
        const scale = (isWide ? ringValues : narrowValues)(24 / width, scaleBits);
        return fc.record({ x: narrowValues(24, bits), scale, sizes: fc.constant(sizes) });
      });
    await fc.assert(
      fc.asyncProperty(cases, anySetting, async ({ x, scale, sizes }, setting) => {
        const { bits, scaleBits, ringBits, width } = sizes;
        const groups = 12 / width;
        const values = [wireInfo(2, 12, bits), wireInfo(2, groups, scaleBits), shareInfo(2, 12, ringBits)];
        const instruction = { gate: "row-scale", x: 0, scale: 1, out: 2, width } as const;
        const { out, dealtBits } = await runGate(rowScale, instruction, values, { 0: x, 1: scale }, setting);
        assert.deepEqual(
          out,
          scaled(x, scale, width).map((value) => signedMod(value, ringBits)),
        );
        if (scaleBits >= ringBits) assert.equal(dealtBits, 24 * (ringBits + 3 * Math.max(0, ringBits - bits)));
      }),
      { numRuns: 80 },
    );
  });

  it("works through several tiles", async () => {
    const x = Array.from({ length: 768 * 19 }, (_, i) => BigInt((i * 37) % 1024) - 512n);
    const scale = Array.from({ length: 19 }, (_, i) => BigInt(i * 1001) - 5000n);
    const values = [wireInfo(19, 768, 11), wireInfo(19, 1, 18), shareInfo(19, 768, 40)];
    const instruction = { gate: "row-scale", x: 0, scale: 1, out: 2, width: 768 } as const;
    const setting = { parties: 3, seed: "tiles" };
    const { out } = await runGate(rowScale, instruction, values, { 0: x, 1: scale }, setting);
    assert.deepEqual(out, scaled(x, scale, 768));
  });

  it("refuses a scale of another shape", async () => {
    const values = [wireInfo(2, 4, 11), wireInfo(2, 1, 30), shareInfo(2, 4, 30)];
    const instruction = { gate: "row-scale", x: 0, scale: 1, out: 2, width: 2 } as const;
    const inputs = { 0: Array.from({ length: 8 }, () => 1n), 1: [1n, 1n] };
    await assert.rejects(
      runGate(rowScale, instruction, values, inputs, { parties: 2, seed: "shape" }),
      /row-scale: expected a scale of every 2 columns, got 2 for 8/,
    );
  });
});
