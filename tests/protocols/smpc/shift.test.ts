import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { shift } from "../../../protocols/smpc/gates/shift.ts";
import type { ValueInfo } from "../../../protocols/smpc/plan/value.ts";
import { runGate, signedMod } from "./gate-bench.ts";

const COUNT = 24;

/** A ring, a shift within it, and signed words of the ring with its edges. */
const scene = fc
  .record({ parties: fc.constantFrom(2, 3, 4), seed: fc.string(), ringBits: fc.integer({ min: 2, max: 64 }) })
  .chain((drawn) => {
    const top = 1n << BigInt(drawn.ringBits - 1);
    const word = fc.oneof(
      fc.bigInt({ min: -top, max: top - 1n }),
      fc.constantFrom(0n, -1n, 1n % top, top - 1n, -top, top / 2n),
    );
    return fc.record({
      bits: fc.integer({ min: 0, max: drawn.ringBits - 1 }),
      x: fc.array(word, { minLength: COUNT, maxLength: COUNT }),
      parties: fc.constant(drawn.parties),
      seed: fc.constant(drawn.seed),
      ringBits: fc.constant(drawn.ringBits),
    });
  });

const infos = (ringBits: number, bits: number): ValueInfo[] =>
  [ringBits, ringBits - bits].map((ring) => ({ kind: "share", rows: 1, columns: COUNT, fracBits: 0, ringBits: ring }));

describe("shift", () => {
  it("is centred around the real quotient and never off by a wrap, at every edge of the ring", async () => {
    await fc.assert(
      fc.asyncProperty(scene, async ({ parties, seed, ringBits, bits, x }) => {
        const { out, clear } = await runGate(shift, { gate: "shift", x: 0, out: 1, bits }, infos(ringBits, bits), [x], {
          parties,
          seed,
        });
        const unit = 1n << BigInt(bits);
        const left = ringBits - bits;
        x.forEach((value, at) => {
          // Twice the difference from the real quotient in 2^-bits units, so that halves are whole.
          const off = 2n * signedMod(out[at] - value / unit, left) * unit - 2n * (value % unit);
          const bound = bits === 0 ? 0n : BigInt(parties) * unit;
          const wrap = 2n * (unit << BigInt(left));
          const near = [off, off + wrap, off - wrap].some((each) => each <= bound && (each > -bound || each === 0n));
          assert.ok(near, `${value} >> ${bits}: got ${out[at]} in ${left} bits`);
          const distance = 2n * (clear[at] * unit - value);
          assert.ok(distance <= unit && (distance > -unit || bits === 0), `clear: ${value} >> ${bits} = ${clear[at]}`);
        });
      }),
    );
  });

  it("declares half a unit a party, rounded down, and nothing for no shift", () => {
    const instruction = { gate: "shift", x: 0, out: 1, bits: 5 } as const;
    const info = (id: number): ValueInfo => infos(32, 5)[id];
    const units = [2, 3, 4].map((parties) => shift.errorUnits(instruction, { info, parties }));
    assert.deepEqual(units, [1, 1, 2]);
    assert.equal(shift.errorUnits({ ...instruction, bits: 0 }, { info, parties: 4 }), 0);
  });

  it("has no bias", async () => {
    // Exact quotients: the mean error over many shares is that of the remainders, centred.
    for (const parties of [2, 3, 4]) {
      const count = 4096;
      const values = [40, 28].map((ringBits) => ({
        kind: "share" as const,
        rows: 1,
        columns: count,
        fracBits: 0,
        ringBits,
      }));
      const x = Array.from({ length: count }, (_, i) => BigInt(i * 2654435761) % (1n << 36n));
      const { out } = await runGate(shift, { gate: "shift", x: 0, out: 1, bits: 12 }, values, [x], {
        parties,
        seed: `bias ${parties}`,
      });
      const mean = out.reduce((sum, value, at) => sum + (Number(value) - Number(x[at]) / 4096), 0) / count;
      // The standard deviation of the mean is below sqrt(4 / 12 / 4096) = 0.009; the bench draws edges as well.
      assert.ok(Math.abs(mean) < 0.1, `${parties} parties: expected a mean error near 0 units, got ${mean}`);
    }
  });
});
