import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { multiply } from "../../../protocols/smpc/gates/multiply.ts";
import { runGate, signedMod } from "./gate-bench.ts";
import { anySetting, narrowValues, shareInfo, wireInfo } from "./gate-values.ts";

const instruction = { gate: "multiply", a: 0, b: 1, out: 2 } as const;

describe("multiply", () => {
  it("multiplies two narrow wires in any ring, for n = 2, 3, 4", async () => {
    const cases = fc
      .record({
        aBits: fc.integer({ min: 3, max: 34 }),
        bBits: fc.integer({ min: 3, max: 34 }),
        ringBits: fc.integer({ min: 1, max: 64 }),
      })
      .chain((sizes) =>
        fc.record({ a: narrowValues(24, sizes.aBits), b: narrowValues(24, sizes.bBits), sizes: fc.constant(sizes) }),
      );
    await fc.assert(
      fc.asyncProperty(cases, anySetting, async ({ a, b, sizes: { aBits, bBits, ringBits } }, setting) => {
        const values = [wireInfo(4, 6, aBits), wireInfo(4, 6, bBits), shareInfo(4, 6, ringBits)];
        const { out, dealtBits } = await runGate(multiply, instruction, values, { 0: a, 1: b }, setting);
        assert.deepEqual(
          out,
          a.map((value, i) => signedMod(value * b[i], ringBits)),
        );
        const above = (bits: number): number => Math.max(0, ringBits - bits);
        assert.equal(dealtBits, 24 * (ringBits + 3 * above(aBits) + 3 * above(bBits) + above(aBits + bBits)));
      }),
      { numRuns: 80 },
    );
  });

  it("works through several tiles", async () => {
    const a = Array.from({ length: 8192 * 2 + 13 }, (_, i) => BigInt((i * 37) % 1024) - 512n);
    const b = Array.from(a, (_, i) => BigInt((i * 53) % 4096) - 2048n);
    const values = [wireInfo(1, a.length, 11), wireInfo(1, a.length, 13), shareInfo(1, a.length, 47)];
    const setting = { parties: 3, seed: "tiles" };
    const { out } = await runGate(multiply, instruction, values, { 0: a, 1: b }, setting);
    assert.deepEqual(
      out,
      a.map((value, i) => value * b[i]),
    );
  });

  it("refuses wires of different lengths", async () => {
    const values = [wireInfo(1, 2, 11), wireInfo(1, 3, 11), shareInfo(1, 2, 20)];
    await assert.rejects(
      runGate(multiply, instruction, values, { 0: [1n, 2n], 1: [1n, 2n, 3n] }, { parties: 2, seed: "lengths" }),
      /multiply: expected wires of one length, got 2 and 3/,
    );
  });
});
