import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { MatrixSource } from "../../../protocols/smpc/factors/matrix-source.ts";
import type { ShareInfo, ValueInfo } from "../../../protocols/smpc/plan/value.ts";
import { centre } from "../../../protocols/smpc/gates/centre.ts";
import { columns } from "../../../protocols/smpc/gates/columns.ts";
import { combine } from "../../../protocols/smpc/gates/combine.ts";
import { linear } from "../../../protocols/smpc/gates/linear.ts";
import { pivot } from "../../../protocols/smpc/gates/pivot.ts";
import { ModelFactors } from "../../../protocols/smpc/factors/public-factors.ts";
import { keptNothing, runGate, signedMod } from "./gate-bench.ts";
import { PUBLIC, publicFactors, publicRowsOf } from "./gate-values.ts";

const share = (rows: number, columnCount: number, fracBits: number, ringBits: number): ShareInfo => ({
  kind: "share",
  rows,
  columns: columnCount,
  fracBits,
  ringBits,
});

/** Full-range words, signed; edges come up often. */
const word = fc.oneof(
  fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
  fc.constantFrom(0n, 1n, -1n, (1n << 63n) - 1n, -(1n << 63n)),
);
const words = (length: number): fc.Arbitrary<bigint[]> => fc.array(word, { minLength: length, maxLength: length });

/** What every property draws: parties, a seed, a shape, a ring, and words of the shape. */
const scene = fc
  .record({
    parties: fc.constantFrom(2, 3, 4),
    seed: fc.string(),
    rows: fc.integer({ min: 1, max: 4 }),
    width: fc.integer({ min: 1, max: 9 }),
    ringBits: fc.integer({ min: 1, max: 64 }),
  })
  .chain((drawn) => words(drawn.rows * drawn.width).map((x) => ({ ...drawn, x })));

function assertSame(out: readonly bigint[], expected: readonly bigint[], ringBits: number): void {
  assert.deepEqual(
    out,
    expected.map((value) => signedMod(value, ringBits)),
  );
}

/** Round to nearest, ties to even, by another way than the code under test. */
function integer(value: number): bigint {
  const [low, high] = [Math.floor(value), Math.ceil(value)];
  if (value - low !== high - value) return BigInt(value - low < high - value ? low : high);
  return BigInt(low % 2 === 0 ? low : high);
}

describe("combine", () => {
  it("adds integer multiples of shares", async () => {
    await fc.assert(
      fc.asyncProperty(
        scene,
        fc.array(fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), { minLength: 3, maxLength: 3 }),
        async ({ parties, seed, rows, width, ringBits, x }, factors) => {
          const info = share(rows, width, 0, ringBits);
          const inputs = [x, x.toReversed(), x.map((value) => signedMod(value * 3n, 64))];
          const { out } = await runGate(
            combine,
            { gate: "combine", terms: factors.map((factor, i) => ({ x: i, factor })), out: 3 },
            [info, info, info, info],
            inputs,
            { parties, seed },
          );
          const expected = x.map((_, at) =>
            factors.reduce((sum, factor, i) => sum + BigInt(factor) * inputs[i][at], 0n),
          );
          assertSame(out, expected, ringBits);
        },
      ),
    );
  });

  it("gives as many more right bits as a factor has twos", async () => {
    const values = [share(1, 2, 0, 20), share(1, 2, 0, 32)];
    const instruction = { gate: "combine", terms: [{ x: 0, factor: 2 ** 12 }], out: 1 } as const;
    const { out } = await runGate(combine, instruction, values, [[-5n, 70_000n]], { parties: 3, seed: "twos" });
    assert.deepEqual(out, [-5n << 12n, 70_000n << 12n]);
  });

  it("refuses to add nothing", async () => {
    const empty = { gate: "combine", terms: [], out: 0 } as const;
    const running = runGate(combine, empty, [share(1, 1, 0, 8)], [], { parties: 2, seed: "" });
    await assert.rejects(running, /combine: expected at least one term, got none/);
  });
});

describe("columns", () => {
  const gain = Float32Array.of(0.5, -1.25, 3, 0.1);
  const shift = Float32Array.of(1, -2);
  const factors = new ModelFactors((name) => {
    const data = name === "gain" ? gain : shift;
    return { data, shape: [data.length] };
  });

  it("multiplies by parameters at their fraction and adds the bias once", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ parties: fc.constantFrom(2, 3, 4), seed: fc.string(), ringBits: fc.integer({ min: 1, max: 64 }) }),
        fc.record({ x: words(16), factor: fc.constantFrom(1, -2, 0.3), fracBits: fc.integer({ min: -3, max: 14 }) }),
        fc.record({ scaled: fc.boolean(), biased: fc.boolean() }),
        async ({ parties, seed, ringBits }, { x, factor, fracBits }, { scaled, biased }) => {
          const { out } = await runGate(
            columns,
            {
              gate: "columns",
              x: 0,
              out: 1,
              scale: scaled ? "gain" : null,
              factor,
              scaleFracBits: fracBits,
              bias: biased ? "shift" : null,
            },
            [share(2, 8, 7, ringBits), share(2, 8, 7 + fracBits, ringBits)],
            [x],
            { parties, seed, factors },
          );
          const expected = x.map((value, at) => {
            const scale = integer((scaled ? gain[at % 4] : 1) * factor * 2 ** fracBits);
            return value * scale + (biased ? integer(shift[at % 2] * 2 ** (7 + fracBits)) : 0n);
          });
          assertSame(out, expected, ringBits);
        },
      ),
    );
  });

  it("refuses fractional bits that don't add up", async () => {
    const off = { gate: "columns", x: 0, out: 1, scale: "gain", factor: 1, scaleFracBits: 9, bias: null } as const;
    const values = [share(1, 4, 7, 32), share(1, 4, 15, 32)];
    await assert.rejects(
      runGate(columns, off, values, [[1n, 2n, 3n, 4n]], { parties: 2, seed: "", factors }),
      /columns: expected 16 fractional bits of its output, got 15/,
    );
  });
});

describe("centre", () => {
  it("takes the mean off every element, without rounding", async () => {
    await fc.assert(
      fc.asyncProperty(scene, async ({ parties, seed, rows, width, ringBits, x }) => {
        let constantBits = 0;
        while (width % 2 ** (constantBits + 1) === 0) constantBits++;
        const { out } = await runGate(
          centre,
          { gate: "centre", x: 0, out: 1, multiplier: width / 2 ** constantBits, constantBits },
          [share(rows, width, 5, ringBits), share(rows, width, 5 + constantBits, ringBits)],
          [x],
          { parties, seed },
        );
        const expected = x.map((value, at) => {
          const first = at - (at % width);
          const sum = x.slice(first, first + width).reduce((a, b) => a + b, 0n);
          return BigInt(width) * value - sum;
        });
        assertSame(out, expected, ringBits);
      }),
    );
  });

  it("refuses a multiplier that doesn't belong to the columns", async () => {
    const values = [share(1, 6, 0, 32), share(1, 6, 1, 32)];
    const wrong = { gate: "centre", x: 0, out: 1, multiplier: 2, constantBits: 1 } as const;
    await assert.rejects(
      runGate(centre, wrong, values, [[1n, 2n, 3n, 4n, 5n, 6n]], { parties: 2, seed: "" }),
      /centre: expected multiplier \* 2\^constantBits = 6 columns, got 2 \* 2\^1/,
    );
  });
});

describe("pivot", () => {
  it("subtracts the row that the first step kept, in every later step", async () => {
    await fc.assert(
      fc.asyncProperty(scene, async ({ parties, seed, rows, width, ringBits, x }) => {
        const kept = keptNothing(parties);
        const info = share(rows, width, 0, ringBits);
        const run = (firstPosition: number, rowsOf: readonly bigint[]) =>
          runGate(pivot, { gate: "pivot", x: 0, out: 1, key: "k", firstPosition }, [info, info], [rowsOf], {
            parties,
            seed: `${seed}${firstPosition}`,
            kept,
          });
        const first = await run(0, x);
        const later = x.toReversed();
        const second = await run(rows, later);
        const minusRow = (values: readonly bigint[]): bigint[] => values.map((value, at) => value - x[at % width]);
        assertSame(first.out, minusRow(x), ringBits);
        assertSame(second.out, minusRow(later), ringBits);
      }),
    );
  });

  it("subtracts a row that everybody knows, and keeps none", async () => {
    const cases = scene.chain((drawn) => publicRowsOf(1, drawn.width).map((row) => ({ ...drawn, row })));
    await fc.assert(
      fc.asyncProperty(cases, async ({ parties, seed, rows, width, ringBits, x, row }) => {
        const info = share(rows, width, 0, ringBits);
        const instruction = { gate: "pivot", x: 0, out: 1, key: "k", firstPosition: 3, row: PUBLIC } as const;
        const factors = publicFactors(row);
        const { out } = await runGate(pivot, instruction, [info, info], [x], { parties, seed, factors });
        assertSame(
          out,
          x.map((value, at) => value - row[at % width]),
          ringBits,
        );
      }),
    );
  });

  it("names the key when no step kept the row", async () => {
    const info = share(1, 2, 0, 32);
    const instruction = { gate: "pivot", x: 0, out: 1, key: "layers.0.pivot", firstPosition: 4 } as const;
    await assert.rejects(
      runGate(pivot, instruction, [info, info], [[1n, 2n]], { parties: 2, seed: "" }),
      /pivot layers\.0\.pivot: expected the row that the first step kept, got nothing/,
    );
  });
});

describe("linear", () => {
  const weight = Float32Array.from({ length: 15 }, (_, i) => ((i * 7) % 11) / 8 - 0.6);
  const bias = Float32Array.of(0.25, -3, 1.5);
  const factors = new ModelFactors((name) =>
    name === "w" ? { data: weight, shape: [5, 3] } : { data: bias, shape: [3] },
  );
  const matrix: MatrixSource = {
    weight: "w",
    transposed: false,
    rowGain: null,
    factor: 1,
    bias: "b",
    biasFactor: 1,
    rowBias: null,
    centred: false,
    columnShifts: null,
  };

  it("multiplies by the integer matrix and adds the bias once", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ parties: fc.constantFrom(2, 3, 4), seed: fc.string(), ringBits: fc.integer({ min: 1, max: 64 }) }),
        words(10),
        fc.boolean(),
        async ({ parties, seed, ringBits }, x, biased) => {
          const values: ValueInfo[] = [share(2, 5, 6, ringBits), share(2, 3, 16, ringBits)];
          const { out } = await runGate(
            linear,
            { gate: "linear", x: 0, out: 1, matrix: { ...matrix, bias: biased ? "b" : null }, matrixFracBits: 10 },
            values,
            [x],
            { parties, seed, factors },
          );
          const expected = Array.from({ length: 6 }, (_, at) => {
            const [row, j] = [Math.floor(at / 3), at % 3];
            let sum = biased ? integer(bias[j] * 2 ** 16) : 0n;
            for (let i = 0; i < 5; i++) sum += x[row * 5 + i] * integer(weight[i * 3 + j] * 2 ** 10);
            return sum;
          });
          assertSame(out, expected, ringBits);
        },
      ),
    );
  });
});
