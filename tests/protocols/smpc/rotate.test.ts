import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { rotate } from "../../../protocols/smpc/gates/rotate.ts";
import type { InstructionOf } from "../../../protocols/smpc/plan/instruction.ts";
import type { ValueInfo } from "../../../protocols/smpc/plan/value.ts";
import { rotaryTable } from "../../../protocols/smpc/factors/rotary-table.ts";
import { sineAndCosine } from "../../../protocols/smpc/factors/sine-and-cosine.ts";
import { runGate } from "./gate-bench.ts";

const HEAD_DIM = 6;
const HEADS = 2;
const inverseFrequencies = [1, 0.1, 0.01];

const instructionAt = (firstPosition: number, factor: number): InstructionOf<"rotate"> => ({
  gate: "rotate",
  x: 0,
  out: 1,
  headDim: HEAD_DIM,
  inverseFrequencies,
  firstPosition,
  factor,
  tableFracBits: 13,
});

const infos = (rows: number): ValueInfo[] =>
  [0, 13].map((fracBits) => ({ kind: "share", rows, columns: HEADS * HEAD_DIM, fracBits: 8 + fracBits, ringBits: 50 }));

describe("rotate", () => {
  it("turns every pair by its position, within the rounding of the table", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ parties: fc.constantFrom(2, 3, 4), seed: fc.string(), rows: fc.integer({ min: 1, max: 3 }) }),
        fc.record({ firstPosition: fc.integer({ min: 0, max: 3000 }), factor: fc.constantFrom(1, -0.5, 0.3) }),
        fc.array(fc.integer({ min: -(2 ** 20), max: 2 ** 20 }), { minLength: 36, maxLength: 36 }),
        async ({ parties, seed, rows }, { firstPosition, factor }, drawn) => {
          const x = drawn.slice(0, rows * HEADS * HEAD_DIM);
          const { out } = await runGate(rotate, instructionAt(firstPosition, factor), infos(rows), [x.map(BigInt)], {
            parties,
            seed,
          });
          x.forEach((value, at) => {
            const row = Math.floor(at / (HEADS * HEAD_DIM));
            const inHead = at % HEAD_DIM;
            const half = HEAD_DIM / 2;
            const angle = (firstPosition + row) * inverseFrequencies[inHead % half];
            const other = inHead < half ? -x[at + half] : x[at - half];
            const expected = factor * (value * Math.cos(angle) + other * Math.sin(angle)) * 2 ** 13;
            // Half a unit of each of the two table entries.
            const bound = (Math.abs(value) + Math.abs(other)) * 0.5001 + 1e-3;
            assert.ok(Math.abs(Number(out[at]) - expected) <= bound, `${at}: expected ${expected}, got ${out[at]}`);
          });
        },
      ),
    );
  });

  it("leaves row 0 of a sequence as it is", async () => {
    const x = Array.from({ length: 12 }, (_, i) => BigInt(i - 6));
    const { out } = await runGate(rotate, instructionAt(0, 1), infos(1), [x], { parties: 2, seed: "row 0" });
    assert.deepEqual(
      out,
      x.map((value) => value << 13n),
    );
  });

  it("gives later rows what a table from row 0 gives them", () => {
    const [whole, later] = [rotaryTable(instructionAt(0, 0.7), 9).make(), rotaryTable(instructionAt(5, 0.7), 4).make()];
    for (const half of [0, 1])
      assert.deepEqual(
        whole.slice((half * 9 + 5) * HEAD_DIM, (half + 1) * 9 * HEAD_DIM),
        later.slice(half * 4 * HEAD_DIM, (half + 1) * 4 * HEAD_DIM),
      );
  });

  it("refuses frequencies of another head", () => {
    assert.throws(
      () => rotaryTable({ ...instructionAt(0, 1), headDim: 8 }, 1).make(),
      /rotate: expected 4 frequencies for heads of 8, got 3/,
    );
  });
});

describe("sineAndCosine", () => {
  it("agrees with the machine's own in every quadrant, for small and large angles", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.double({ min: -8, max: 8, noNaN: true }), fc.double({ min: -1.6e6, max: 1.6e6, noNaN: true })),
        (angle) => {
          const { sin, cos } = sineAndCosine(angle);
          assert.ok(Math.abs(sin - Math.sin(angle)) <= 2 ** -50, `sin ${angle}: got ${sin}`);
          assert.ok(Math.abs(cos - Math.cos(angle)) <= 2 ** -50, `cos ${angle}: got ${cos}`);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("has the same bits everywhere", () => {
    // Written down once; a machine or an engine that rounds otherwise fails here and not in a session.
    const angles = [0.1, 1, 2.5, 4, 100.5, 8191.25];
    const bits = angles.map((angle) => {
      const { sin, cos } = sineAndCosine(angle);
      return Buffer.from(Float64Array.of(sin, cos).buffer).toString("hex");
    });
    assert.deepEqual(bits, WRITTEN_DOWN);
  });

  it("refuses angles that it can't reduce", () => {
    assert.throws(() => sineAndCosine(2e6), /angle: expected fewer than 2\^20 quarter turns, got 2000000 radians/);
    assert.throws(() => sineAndCosine(NaN), RangeError);
  });
});

/** Little-endian float64 of the sine and the cosine of each angle. */
const WRITTEN_DOWN = [
  "2ccb8bcbae8eb93fc017a8f912d7ef3f",
  "ee0c098f54edea3f8c06b50f284ae13f",
  "b0cacf0daf26e33f7d8b85eff7a2e9bf",
  "ae1edcddb937e8bfc124db06a6eae4bf",
  "f10f4733f8b39fbfc2ceaead12fcef3f",
  "973ac0534cc6ecbf3e13a53f6800dcbf",
];
