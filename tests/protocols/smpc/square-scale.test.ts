import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { entryCount, type AttentionLayout } from "../../../protocols/smpc/plan/attention-layout.ts";
import { squareScale } from "../../../protocols/smpc/gates/square-scale.ts";
import { squares } from "../../../protocols/smpc/gates/squares.ts";
import { publicLiftNonNegative } from "../../../protocols/smpc/product/narrow-wire.ts";
import { runGate, signedMod } from "./gate-bench.ts";
import {
  anyLayout,
  anySetting,
  narrowValues,
  nonNegativeValues,
  ringValues,
  shareInfo,
  visibleEntries,
  wireInfo,
} from "./gate-values.ts";

function scaled(layout: AttentionLayout, x: readonly bigint[], scale: readonly bigint[]): bigint[] {
  return visibleEntries(layout).map(({ head, query }, entry) => x[entry] ** 2n * scale[head * layout.queries + query]);
}

function valuesOf(layout: AttentionLayout, bits: number, scaleBits: number, ringBits: number) {
  const entries = entryCount(layout);
  const rows = layout.heads * layout.queries;
  return [
    wireInfo(entries, 1, bits),
    shareInfo(entries, 1, ringBits),
    wireInfo(rows, 1, scaleBits),
    shareInfo(entries, 1, ringBits),
  ];
}

const sized = fc
  .record({
    layout: anyLayout,
    bits: fc.integer({ min: 5, max: 30 }),
    scaleBits: fc.integer({ min: 3, max: 64 }),
    ringBits: fc.integer({ min: 1, max: 64 }),
    dropped: fc.nat({ max: 40 }),
  })
  .chain((sizes) => {
    const { layout, bits, scaleBits, ringBits } = sizes;
    const rows = layout.heads * layout.queries;
    // A wide scale may be any residue.
    const scale = (scaleBits >= ringBits ? ringValues : narrowValues)(rows, scaleBits);
    return fc.record({ x: nonNegativeValues(entryCount(layout), bits), scale, sizes: fc.constant(sizes) });
  });

describe("square-scale", () => {
  it("gives squares times their row's number in any ring, for n = 2, 3, 4", async () => {
    await fc.assert(
      fc.asyncProperty(sized, anySetting, async ({ x, scale, sizes }, setting) => {
        const { layout, bits, scaleBits, ringBits } = sizes;
        const instruction = {
          gate: "square-scale",
          x: 0,
          square: 1,
          scale: 2,
          out: 3,
          layout,
          droppedBits: 0,
        } as const;
        const inputs = { 0: x, 1: x.map((value) => value ** 2n), 2: scale };
        const values = valuesOf(layout, bits, scaleBits, ringBits);
        const { out, dealtBits } = await runGate(squareScale, instruction, values, inputs, setting);
        assert.deepEqual(
          out,
          scaled(layout, x, scale).map((value) => signedMod(value, ringBits)),
        );
        const ofX = Math.max(0, ringBits - bits - 1);
        if (scaleBits >= ringBits) assert.equal(dealtBits, x.length * (2 * ringBits - 1 + 2 * ofX));
      }),
      { numRuns: 60 },
    );
  });

  it("is off by no more than half of the bits that are dropped", async () => {
    await fc.assert(
      fc.asyncProperty(sized, anySetting, async ({ x, scale, sizes }, setting) => {
        const { layout, bits, scaleBits, ringBits } = sizes;
        const droppedBits = Math.min(ringBits - 1, sizes.dropped);
        const instruction = { gate: "square-scale", x: 0, square: 1, scale: 2, out: 3, layout, droppedBits } as const;
        const inputs = { 0: x, 1: x.map((value) => value ** 2n), 2: scale };
        const values = valuesOf(layout, bits, scaleBits, ringBits);
        // The bench compares with the clear reading, which is exact.
        await runGate(squareScale, instruction, values, inputs, setting);
      }),
      { numRuns: 60 },
    );
  });

  it("works through several tiles", async () => {
    const layout = { heads: 2, kvHeads: 1, headDim: 1, queries: 100, past: 0, causal: false, window: null };
    const x = Array.from({ length: 20_000 }, (_, i) => BigInt((i * 7919) % 7500));
    const scale = Array.from({ length: 200 }, (_, i) => BigInt(i * 37 - 1000));
    const instruction = { gate: "square-scale", x: 0, square: 1, scale: 2, out: 3, layout, droppedBits: 0 } as const;
    const inputs = { 0: x, 1: x.map((value) => value ** 2n), 2: scale };
    const values = valuesOf(layout, 14, 40, 50);
    const { out } = await runGate(squareScale, instruction, values, inputs, { parties: 3, seed: "tiles" });
    assert.deepEqual(out, scaled(layout, x, scale));
  });

  it("refuses entries and rows of another layout", async () => {
    const layout = { heads: 1, kvHeads: 1, headDim: 1, queries: 2, past: 0, causal: true, window: null };
    const values = valuesOf(layout, 14, 40, 50);
    const instruction = { gate: "square-scale", x: 0, square: 1, scale: 2, out: 3, layout, droppedBits: 0 } as const;
    const inputs = { 0: [1n, 1n, 1n], 1: [1n, 1n, 1n], 2: [1n] };
    await assert.rejects(
      runGate(squareScale, instruction, values.with(2, wireInfo(1, 1, 40)), inputs, { parties: 2, seed: "rows" }),
      /square-scale: expected 2 scales, got 1/,
    );
    await assert.rejects(
      runGate(
        squareScale,
        { ...instruction, droppedBits: 50 },
        values,
        { ...inputs, 2: [1n, 1n] },
        {
          parties: 2,
          seed: "dropped",
        },
      ),
      /square-scale: expected to drop less than 50 bits, got 50/,
    );
  });
});

describe("a wire of numbers that are not negative", () => {
  it("is right in a larger ring for every number of its domain under every mask, and wrong outside", () => {
    for (const bits of [5, 6, 8]) {
      const unit = 1 << (bits - 5);
      const size = 1 << bits;
      const isRight = (x: number): boolean => {
        const masked = BigUint64Array.from({ length: size }, (_, r) => BigInt((x + r + size) % size));
        const { centred, low } = publicLiftNonNegative(masked, bits);
        // x = A - r + 2^bits u m
        return masked.every((_, r) => {
          const wrap = low[r] === 1n && r >= size / 2 ? size : 0;
          return Number(BigInt.asIntN(64, centred[r])) - r + wrap === x;
        });
      };
      for (let x = -unit; x <= 15 * unit; x++) assert.ok(isRight(x), `${x} of ${bits} bits`);
      assert.ok(!isRight(-unit - 1));
      assert.ok(!isRight(15 * unit + 1));
    }
  });

  it("has at least five bits", () => {
    assert.throws(() => publicLiftNonNegative(new BigUint64Array(1), 4), /expected at least 5 bits, got 4/);
  });
});

describe("squares of numbers that are not negative", () => {
  it("are right up to half of the wire's ring, for n = 2, 3, 4", async () => {
    const cases = fc
      .record({ bits: fc.integer({ min: 5, max: 30 }), ringBits: fc.integer({ min: 1, max: 64 }) })
      .chain((sizes) => nonNegativeValues(24, sizes.bits).map((x) => ({ ...sizes, x })));
    await fc.assert(
      fc.asyncProperty(cases, anySetting, async ({ bits, ringBits, x }, setting) => {
        const values = [wireInfo(24, 1, bits), shareInfo(24, 1, ringBits)];
        const instruction = { gate: "squares", x: 0, out: 1, width: 1, nonNegative: true } as const;
        const { out } = await runGate(squares, instruction, values, { 0: x }, setting);
        assert.deepEqual(
          out,
          x.map((value) => signedMod(value ** 2n, ringBits)),
        );
      }),
      { numRuns: 60 },
    );
  });
});
