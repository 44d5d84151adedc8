import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { CombinedMatrix } from "../../../protocols/smpc/factors/combined-matrix.ts";
import type { Instruction, Plan } from "../../../protocols/smpc/plan/instruction.ts";
import type { MatrixSource } from "../../../protocols/smpc/factors/matrix-source.ts";
import { matrixFracBits, MAX_MATRIX_INTEGER } from "../../../protocols/smpc/factors/matrix-precision.ts";
import type { ParameterSource } from "../../../protocols/smpc/factors/parameter-source.ts";
import { ModelFactors } from "../../../protocols/smpc/factors/public-factors.ts";
import { PublicMatrix } from "../../../protocols/smpc/factors/public-matrix.ts";

const [INPUTS, OUTPUTS] = [6, 4];

const parameters: Record<string, { data: Float32Array; shape: readonly number[] }> = {
  w: { data: Float32Array.from({ length: 24 }, (_, i) => Math.fround(((i * 13) % 17) / 9 - 0.8)), shape: [6, 4] },
  gain: { data: Float32Array.of(1, 2, -0.3), shape: [3] },
  shift: { data: Float32Array.of(0.1, -0.2, 0.7, 1, 0, 2), shape: [6] },
  b: { data: Float32Array.of(0.5, -1, 0.125, 3), shape: [4] },
};
const transposed = Float32Array.from(
  { length: 24 },
  (_, i) => parameters.w.data[(i % INPUTS) * OUTPUTS + Math.floor(i / INPUTS)],
);
parameters.wT = { data: transposed, shape: [4, 6] };
const parameter: ParameterSource = (name) => parameters[name];

const plain: MatrixSource = {
  weight: "w",
  transposed: false,
  rowGain: null,
  factor: 1,
  bias: null,
  biasFactor: 1,
  rowBias: null,
  centred: false,
  columnShifts: null,
};

/** Any way in which things are folded into a matrix. */
const anySource: fc.Arbitrary<MatrixSource> = fc.record({
  weight: fc.constant("w"),
  transposed: fc.constant(false),
  rowGain: fc.constantFrom(null, "gain", "shift"),
  factor: fc.constantFrom(1, -2, 0.3),
  bias: fc.constantFrom(null, "b"),
  biasFactor: fc.constantFrom(1, 3),
  rowBias: fc.constantFrom(null, "gain", "shift"),
  centred: fc.boolean(),
  columnShifts: fc.constantFrom(null, [0, 1, 3, 2]),
});

const rowsOf = (matrix: CombinedMatrix): number[][] =>
  Array.from({ length: matrix.inputs }, (_, i) => {
    const row = new Float64Array(matrix.outputs);
    matrix.row(i, row);
    return [...row];
  });

const near = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-9;

describe("a combined matrix", () => {
  it("does to a row what norm, linear, centring and column shifts do one after the other", () => {
    const x = [0.3, -1.1, 2, 0.7, -0.4, 1.9];
    fc.assert(
      fc.property(anySource, (source) => {
        const matrix = new CombinedMatrix(source, parameter);
        const rows = rowsOf(matrix);
        const bias = matrix.bias();
        const got = Array.from({ length: OUTPUTS }, (_, j) =>
          rows.reduce((sum, row, i) => sum + x[i] * row[j], bias?.[j] ?? 0),
        );
        const gain = (i: number): number => repeated(source.rowGain, i, 1);
        const shift = (i: number): number => repeated(source.rowBias, i, 0);
        const normed = x.map((value, i) => value * gain(i) + shift(i));
        let y = Array.from({ length: OUTPUTS }, (_, j) =>
          normed.reduce((sum, value, i) => sum + value * parameters.w.data[i * OUTPUTS + j] * source.factor, 0),
        );
        y = y.map((value, j) => value + repeated(source.bias, j, 0) * source.biasFactor);
        const mean = source.centred ? y.reduce((a, b) => a + b) / OUTPUTS : 0;
        y = y.map((value, j) => (value - mean) / 2 ** (source.columnShifts?.[j] ?? 0));
        for (let j = 0; j < OUTPUTS; j++) assert.ok(near(got[j], y[j]), `${j}: expected ${y[j]}, got ${got[j]}`);
      }),
    );
  });

  it("reads a table [out, in] as its transpose", () => {
    const turned = new CombinedMatrix({ ...plain, weight: "wT", transposed: true, rowGain: "gain" }, parameter);
    assert.deepEqual(rowsOf(turned), rowsOf(new CombinedMatrix({ ...plain, rowGain: "gain" }, parameter)));
  });

  it("names the parameter that doesn't fit", () => {
    const wrong =
      (source: Partial<MatrixSource>): (() => unknown) =>
      () =>
        new CombinedMatrix({ ...plain, ...source }, parameter).bias();
    assert.throws(wrong({ weight: "b" }), /b: expected a matrix, got shape \[4\]/);
    assert.throws(wrong({ rowGain: "b" }), /b: expected a number of values that divides 6, got 4/);
    assert.throws(wrong({ bias: "gain" }), /gain: expected 4 values, got 3/);
    assert.throws(wrong({ columnShifts: [1] }), /w: expected 4 column shifts, got 1/);
  });
});

describe("public factors", () => {
  it("multiply exactly mod 2^64 by the matrix rounded to nearest even", async () => {
    const factors = new ModelFactors(parameter);
    const word = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
    await fc.assert(
      fc.asyncProperty(
        anySource,
        fc.array(word, { minLength: 12, maxLength: 12 }),
        fc.integer({ min: 0, max: 17 }),
        fc.integer({ min: 1, max: 64 }),
        async (source, x, fracBits, ringBits) => {
          const rows = rowsOf(new CombinedMatrix(source, parameter));
          const out = new BigUint64Array(2 * OUTPUTS);
          await factors.multiply(source, fracBits, BigUint64Array.from(x), 2, ringBits, out);
          for (let at = 0; at < out.length; at++) {
            const [r, j] = [Math.floor(at / OUTPUTS), at % OUTPUTS];
            let sum = 0n;
            for (let i = 0; i < INPUTS; i++) sum += x[r * INPUTS + i] * nearest(rows[i][j] * 2 ** fracBits);
            assert.equal(BigInt.asUintN(ringBits, out[at]), BigInt.asUintN(ringBits, sum));
          }
        },
      ),
    );
  });

  it("stay exact where long sums of the largest products are taken", async () => {
    const inputs = 2 ** 12 + 3;
    for (const entry of [2 ** 20, -(2 ** 20)]) {
      const data = new Float32Array(inputs).fill(entry);
      const factors = new ModelFactors(() => ({ data, shape: [inputs, 1] }));
      const x = new BigUint64Array(inputs).fill((1n << 64n) - 1n);
      const out = new BigUint64Array(1);
      await factors.multiply(plain, 0, x, 1, 64, out);
      assert.equal(out[0], BigInt.asUintN(64, -BigInt(inputs) * BigInt(entry)));
    }
  });

  it("are the same through ONNX Runtime as in plain loops", async () => {
    const product = await Float64Product.open(1);
    try {
      const [inputs, outputs, rows] = [70, 9, 3];
      const data = Float32Array.from({ length: inputs * outputs }, (_, i) => Math.sin(i) * 0.3);
      const source: ParameterSource = () => ({ data, shape: [inputs, outputs] });
      const fast = new ModelFactors(source, (integers, m, n) => new PublicMatrix(integers, m, n, product));
      const slow = new ModelFactors(source);
      const x = BigUint64Array.from({ length: rows * inputs }, (_, i) => BigInt(i + 1) * 0x9e3779b97f4a7c15n);
      for (const ringBits of [22, 44, 64]) {
        const [a, b] = [new BigUint64Array(rows * outputs), new BigUint64Array(rows * outputs)];
        await fast.multiply(plain, 13, x, rows, ringBits, a);
        await slow.multiply(plain, 13, x, rows, ringBits, b);
        assert.deepEqual(
          a.map((word) => BigInt.asUintN(ringBits, word)),
          b.map((word) => BigInt.asUintN(ringBits, word)),
        );
      }
      assert.equal(fast.hash(), slow.hash());
    } finally {
      await product.close();
    }
  });

  it("round ties to even", async () => {
    const data = Float32Array.of(0.5, 1.5, -0.5, -1.5, 2.5, 0.25);
    const factors = new ModelFactors(() => ({ data, shape: [1, 6] }));
    const out = new BigUint64Array(6);
    await factors.multiply(plain, 0, BigUint64Array.of(1n), 1, 64, out);
    assert.deepEqual(
      [...out].map((value) => BigInt.asIntN(64, value)),
      [0n, 2n, 0n, -2n, 2n, 0n],
    );
  });

  it("repeat vectors, at their fraction", () => {
    const factors = new ModelFactors(parameter);
    assert.deepEqual([...factors.vector("gain", 2, 3, 6)], [16n, 32n, (1n << 64n) - 5n, 16n, 32n, (1n << 64n) - 5n]);
    assert.equal(factors.bias(plain, 10), null);
    assert.deepEqual([...factors.bias({ ...plain, bias: "b", biasFactor: 2 }, 3)!], [8n, (1n << 64n) - 16n, 2n, 48n]);
    assert.throws(() => factors.vector("b", 1, 3, 6), /b: expected a number of values that divides 6, got 4/);
  });

  it("refuse integers that the product can't take, and words of another shape", async () => {
    const factors = new ModelFactors(parameter);
    const out = new BigUint64Array(4);
    await assert.rejects(
      factors.multiply({ ...plain, factor: 2 ** 21 }, 0, new BigUint64Array(6), 1, 64, out),
      /w \[0, 0\]: expected a magnitude of at most 2\^20 at 0 fractional bits, got -167772\d/,
    );
    await assert.rejects(
      factors.multiply(plain, 8, new BigUint64Array(5), 1, 64, out),
      /w: expected 1 \* 6 words in and 1 \* 4 out, got 5 and 4/,
    );
  });

  it("have one hash for the same integers, whatever the order, and another for any other", () => {
    const hashOf = (make: (factors: ModelFactors) => void, source = parameter): string => {
      const factors = new ModelFactors(source);
      make(factors);
      return factors.hash();
    };
    const first = hashOf((f) => [f.prepare(plan), f.vector("gain", 1, 4, 6), f.addTable("cos", BigUint64Array.of(1n))]);
    const second = hashOf((f) => [
      f.addTable("cos", BigUint64Array.of(1n)),
      f.vector("gain", 1, 4, 6),
      f.prepare(plan),
      f.prepare(plan),
    ]);
    assert.equal(first, second);
    const bumped = parameters.w.data.slice();
    bumped[7] += 2 ** -9;
    const others = [
      hashOf((f) => f.prepare(plan)),
      hashOf((f) => [f.prepare(plan), f.vector("gain", 1, 4, 6), f.addTable("cos", BigUint64Array.of(2n))]),
      hashOf((f) => [f.prepare(plan), f.vector("gain", 1, 5, 6), f.addTable("cos", BigUint64Array.of(1n))]),
      hashOf(
        (f) => [f.prepare(plan), f.vector("gain", 1, 4, 6), f.addTable("cos", BigUint64Array.of(1n))],
        (name) => (name === "w" ? { data: bumped, shape: [6, 4] } : parameters[name]),
      ),
    ];
    assert.equal(new Set([first, ...others]).size, 5);
  });

  it("cover the tables of series and exponentials, which machines may round differently", () => {
    const wire = { kind: "wire", rows: 1, columns: 1, fracBits: 4, bits: 8 } as const;
    const series = { periodBits: 4, constant: 0, harmonics: [1], cos: [1], sin: [0], maxError: 0, from: 0, to: 1 };
    const evaluated: Instruction = {
      gate: "series",
      x: 0,
      out: 1,
      series: { ...series, name: "" },
      tableFracBits: 9,
      wordFracBits: 1,
    };
    const raised: Instruction = {
      gate: "exp",
      x: 0,
      out: 1,
      temperature: 1,
      from: -8,
      windows: 4,
      tableFracBits: 9,
      wordFracBits: 1,
    };
    const hashes = [
      [],
      [evaluated],
      [{ ...evaluated, tableFracBits: 10 }],
      [raised],
      [{ ...raised, temperature: 2 }],
      [evaluated, raised],
    ].map((instructions) => {
      const factors = new ModelFactors(parameter);
      factors.prepare({ ...plan, instructions, values: [wire, plan.values[0]] });
      return factors.hash();
    });
    assert.equal(new Set(hashes).size, 6);
  });

  it("make all that a plan multiplies by ahead of it", () => {
    const factors = new ModelFactors(parameter);
    factors.prepare(plan);
    const before = factors.hash();
    factors.bias({ ...plain, bias: "b" }, 10);
    factors.vector("shift", 2, 5, 6);
    factors.vector("gain", 1, 5, 6);
    assert.equal(factors.hash(), before);
  });
});

describe("matrixFracBits", () => {
  const size = fc.double({ min: 1e-6, max: 1e5, noNaN: true });

  it("gives the root mean square its bits, unless the largest entry would outgrow the product", () => {
    fc.assert(
      fc.property(
        size,
        fc.double({ min: 1, max: 1e5, noNaN: true }),
        fc.integer({ min: 1, max: 18 }),
        (rms, ratio, bits) => {
          const fracBits = matrixFracBits(rms, rms * ratio, bits);
          const [unit, most] = [rms * 2 ** fracBits, rms * ratio * 2 ** fracBits];
          assert.ok(unit < 2 ** bits);
          assert.ok(most < MAX_MATRIX_INTEGER / 2);
          assert.ok(unit >= 2 ** (bits - 1) || most * 2 >= MAX_MATRIX_INTEGER / 2, "no bit is given away");
        },
      ),
    );
  });

  it("takes matrices of zeros, and refuses sizes that can't be", () => {
    assert.equal(matrixFracBits(0, 0, 10), 0);
    for (const [rms, maxAbs] of [
      [2, 1],
      [NaN, 1],
      [1, Infinity],
      [-1, 1],
    ])
      assert.throws(() => matrixFracBits(rms, maxAbs, 10), /matrix: expected 0 <= rms <= maxAbs < infinity, got/);
  });
});

const plan: Plan = {
  values: [
    { kind: "share", rows: 2, columns: 6, fracBits: 4, ringBits: 40 },
    { kind: "share", rows: 2, columns: 4, fracBits: 10, ringBits: 40 },
    { kind: "share", rows: 2, columns: 6, fracBits: 9, ringBits: 40 },
    { kind: "share", rows: 2, columns: 6, fracBits: 5, ringBits: 40 },
  ],
  instructions: [
    { gate: "linear", x: 0, out: 1, matrix: { ...plain, bias: "b" }, matrixFracBits: 6 },
    { gate: "columns", x: 0, out: 2, scale: "shift", factor: 2, scaleFracBits: 5, bias: null },
    { gate: "columns", x: 0, out: 3, scale: null, factor: 1, scaleFracBits: 1, bias: "gain" },
    {
      gate: "rotate",
      x: 0,
      out: 2,
      headDim: 6,
      inverseFrequencies: [1, 0.5, 0.25],
      firstPosition: 0,
      factor: 1,
      tableFracBits: 5,
    },
  ],
  levels: [0, 0, 0, 0],
  rounds: 0,
  sites: [],
  checks: [],
};

function repeated(name: string | null, at: number, otherwise: number): number {
  if (name === null) return otherwise;
  const { data } = parameters[name];
  return data[at % data.length];
}

/** Nearest integer, ties to even, by another way than the code under test. */
function nearest(value: number): bigint {
  const [low, high] = [Math.floor(value), Math.ceil(value)];
  if (value - low !== high - value) return BigInt(value - low < high - value ? low : high);
  return BigInt(low % 2 === 0 ? low : high);
}
