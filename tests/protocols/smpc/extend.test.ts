import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { extend } from "../../../protocols/smpc/gates/extend.ts";
import { liftedMask, publicLift, topBits } from "../../../protocols/smpc/product/narrow-wire.ts";
import { runGate, signedMod } from "./gate-bench.ts";
import { anySetting, narrowValues, shareInfo, wireInfo } from "./gate-values.ts";

const instruction = { gate: "extend", x: 0, out: 1 } as const;

describe("extend", () => {
  it("gives the value itself in any ring, for n = 2, 3, 4", async () => {
    const cases = fc
      .record({ bits: fc.integer({ min: 3, max: 40 }), ringBits: fc.integer({ min: 1, max: 64 }) })
      .chain((widths) => narrowValues(24, widths.bits).map((x) => ({ ...widths, x })));
    await fc.assert(
      fc.asyncProperty(cases, anySetting, async ({ bits, ringBits, x }, setting) => {
        const values = [wireInfo(4, 6, bits), shareInfo(4, 6, ringBits)];
        const { out, dealtBits } = await runGate(extend, instruction, values, { 0: x }, setting);
        assert.deepEqual(
          out,
          x.map((value) => signedMod(value, ringBits)),
        );
        assert.equal(dealtBits, 2 * 24 * Math.max(0, ringBits - bits));
      }),
      { numRuns: 60 },
    );
  });

  it("gives numbers that are hardly negative from wires of twice their size, for n = 2, 3, 4", async () => {
    const cases = fc
      .record({ bits: fc.integer({ min: 5, max: 40 }), ringBits: fc.integer({ min: 1, max: 64 }) })
      .chain((widths) => {
        const least = 1n << BigInt(widths.bits - 5);
        const x = fc.array(fc.bigInt({ min: -least, max: 15n * least }), { minLength: 24, maxLength: 24 });
        return x.map((values) => ({ ...widths, x: values }));
      });
    await fc.assert(
      fc.asyncProperty(cases, anySetting, async ({ bits, ringBits, x }, setting) => {
        const values = [wireInfo(4, 6, bits), shareInfo(4, 6, ringBits)];
        const { out } = await runGate(extend, { ...instruction, nonNegative: true }, values, { 0: x }, setting);
        assert.deepEqual(
          out,
          x.map((value) => signedMod(value, ringBits)),
        );
      }),
      { numRuns: 60 },
    );
  });

  it("lifts every value of its domain under every mask of 5 bits", () => {
    const bits = 5;
    const cases: { x: bigint; r: bigint }[] = [];
    for (let x = -8n; x <= 8n; x++) for (let r = 0n; r < 32n; r++) cases.push({ x, r });
    const mask = BigUint64Array.from(cases, ({ r }) => r);
    const { centred, low } = publicLift(
      BigUint64Array.from(cases, ({ x, r }) => (x + r) & 31n),
      bits,
    );
    const lifted = liftedMask(mask, bits, low, new BigUint64Array(mask.length), topBits(mask, bits));
    cases.forEach(({ x, r }, i) => assert.equal(signedMod(centred[i] - lifted[i], 64), x, `x ${x}, r ${r}`));
  });

  it("is wrong outside a quarter of the ring", async () => {
    const x = Array.from({ length: 64 }, () => (1n << 8n) + 64n);
    const values = [wireInfo(8, 8, 10), shareInfo(8, 8, 30)];
    const setting = { parties: 2, seed: "outside", anyError: true };
    const { largestErrorUnits } = await runGate(extend, instruction, values, { 0: x }, setting);
    assert.equal(largestErrorUnits, 1n << 10n);
  });

  it("works through several tiles", async () => {
    const x = Array.from({ length: 8192 * 2 + 13 }, (_, i) => BigInt((i * 37) % 1024) - 512n);
    const values = [wireInfo(1, x.length, 11), shareInfo(1, x.length, 50)];
    const { out } = await runGate(extend, instruction, values, { 0: x }, { parties: 3, seed: "tiles" });
    assert.deepEqual(out, x);
  });

  it("refuses a share, and a wire that was not opened", async () => {
    const values = [wireInfo(1, 1, 11), shareInfo(1, 1, 50)];
    const derived = { parties: 2, seed: "derived", derived: [0] };
    await assert.rejects(runGate(extend, instruction, values, { 0: [1n] }, derived), /expected a wire that was opened/);
    const shares = [shareInfo(1, 1, 50), shareInfo(1, 1, 50)];
    const setting = { parties: 2, seed: "share" };
    await assert.rejects(runGate(extend, instruction, shares, { 0: [1n] }, setting), /expected a wire, got a share/);
  });
});
