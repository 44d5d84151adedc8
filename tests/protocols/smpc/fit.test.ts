import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { erf } from "../../../layers/reference/erf.ts";
import {
  activationSeries,
  seriesTolerance,
  type SeriesActivation,
} from "../../../protocols/smpc/fit/activation-series.ts";
import type { Series } from "../../../protocols/smpc/fit/series.ts";
import { expPrecision, roundingError } from "../../../protocols/smpc/fit/exp-precision.ts";
import { cosineMinimax } from "../../../protocols/smpc/fit/cosine-minimax.ts";
import { fourierTransform } from "../../../protocols/smpc/fit/fourier-transform.ts";
import { solvePositive } from "../../../protocols/smpc/fit/least-squares.ts";
import { rowFit, rowSeries, type RowFunction, type RowKind } from "../../../protocols/smpc/fit/row-series.ts";
import { seriesPrecision } from "../../../protocols/smpc/fit/series-precision.ts";
import { tanhSeries } from "../../../protocols/smpc/fit/tanh-series.ts";
import { solveToeplitz } from "../../../protocols/smpc/fit/toeplitz.ts";
import { exp } from "../../../protocols/smpc/gates/exp.ts";
import { series } from "../../../protocols/smpc/gates/series.ts";
import { runGate, signedMod } from "./gate-bench.ts";

const FUNCTIONS: Readonly<Record<SeriesActivation, (x: number) => number>> = {
  gelu: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  geluTanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  silu: (x) => x / (1 + Math.exp(-x)),
};
const KINDS = ["gelu", "geluTanh", "silu"] as const;

/** The series at x, from its definition. */
function evaluate({ constant, harmonics, cos, sin, periodBits }: Series, x: number): number {
  const w = (2 * Math.PI) / 2 ** periodBits;
  return harmonics.reduce((sum, h, j) => sum + cos[j] * Math.cos(h * w * x) + sin[j] * Math.sin(h * w * x), constant);
}

/** `count` points of [from, to], ends included. */
const grid = (from: number, to: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1));

const rootMeanSquare = (values: readonly number[]): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);

function largestError(series: Series, f: (x: number) => number, weight: (x: number) => number = () => 1): number {
  return grid(series.from, series.to, 4001).reduce(
    (worst, x) => Math.max(worst, Math.abs(evaluate(series, x) - f(x)) * weight(x)),
    0,
  );
}

describe("activationSeries", () => {
  it("is within its error on the whole range, up to the tolerance beyond the middle, for any range and error", () => {
    const cases = fc.record({
      kind: fc.constantFrom(...KINDS),
      reach: fc.double({ min: 0.5, max: 34, noNaN: true }),
      maxError: fc.constantFrom(1e-3, 4e-4, 5e-5),
    });
    fc.assert(
      fc.property(cases, ({ kind, reach, maxError }) => {
        const series = activationSeries(kind, reach, maxError);
        const g = (x: number): number => FUNCTIONS[kind](x) - x / 2;
        assert.ok(series.to >= reach && series.from === -series.to);
        // A hundredth more than asked for: between the points of the fit.
        assert.ok(largestError(series, g, (x) => 1 / seriesTolerance(x)) <= 1.01 * maxError);
        assert.ok(largestError(series, g) <= 1.01 * series.maxError);
        // x is extended from the same wire, which takes a quarter of its ring to each side.
        assert.ok(2 ** series.periodBits >= 4 * reach);
        assert.ok(series.sin.every((value) => value === 0) && Math.hypot(...series.cos) < reach + 8);
      }),
      { numRuns: 15 },
    );
  });

  it("needs fewer terms than a wave reflected at the range, which has 9, 17 and 33 (GELU), 7, 14 and 28 (SiLU)", () => {
    const terms = (kind: SeriesActivation): number[] =>
      [8, 16, 32].map((reach) => activationSeries(kind, reach, 4e-4).harmonics.length);
    assert.deepEqual(terms("gelu"), [8, 11, 18]);
    assert.deepEqual(terms("silu"), [7, 10, 16]);
  });

  it("refuses a range that isn't positive, and an error that is out of reach", () => {
    for (const reach of [0, -1, Number.NaN, Infinity])
      assert.throws(() => activationSeries("gelu", reach, 1e-3), /expected a positive range/);
    assert.throws(() => activationSeries("gelu", 4, 1e-30), /expected an error within reach/);
  });
});

describe("rowSeries", () => {
  const plain = (kind: RowKind): RowFunction => ({ name: kind, kind, factor: 1, shift: 0 });
  const functions: readonly (readonly [RowFunction, (x: number) => number])[] = [
    [plain("log"), Math.log],
    [plain("inverseRoot"), (x) => 1 / Math.sqrt(x)],
    [plain("inverse"), (x) => 1 / x],
    [
      { name: "norm", kind: "inverseRoot", factor: Math.sqrt(768), shift: 768e-5 },
      (x) => 1 / Math.sqrt(x / 768 + 1e-5),
    ],
    [{ name: "rung", kind: "log", factor: 4, shift: 0 }, (x) => 4 * Math.log(x)],
  ];
  /** What an error at x counts: relative, but for logarithms. */
  const weightOf = ({ kind, factor }: RowFunction, f: (x: number) => number): ((x: number) => number) =>
    kind === "log" ? () => 1 / factor : (x) => 1 / f(x);

  it("says its largest error on the interval, which lies within one period", () => {
    const cases = fc.record({
      which: fc.constantFrom(...functions),
      from: fc.double({ min: 0.01, max: 100, noNaN: true }),
      ratio: fc.double({ min: 1.5, max: 90, noNaN: true }),
      maxError: fc.constantFrom(0.05, 1e-3),
    });
    fc.assert(
      fc.property(cases, ({ which: [row, f], from, ratio, maxError }) => {
        const series = rowSeries(row, { from, to: from * ratio, maxError });
        assert.ok(largestError(series, f, weightOf(row, f)) <= 1.02 * series.maxError);
        assert.ok(series.to < 2 ** series.periodBits);
      }),
      { numRuns: 60 },
    );
  });

  it("reaches the errors of the design's table, with at most its terms where a period is full", () => {
    const reached = (kind: RowKind, ratio: number, maxError: number): { terms: number; error: number } => {
      const series = rowSeries(plain(kind), { from: 1, to: ratio, maxError });
      return { terms: series.harmonics.length, error: series.maxError };
    };
    for (const kind of ["log", "inverseRoot"] as const) {
      const narrow = reached(kind, 64, 1e-4);
      assert.ok(narrow.terms <= 64 && narrow.error <= 1e-4, `${kind} 64: ${JSON.stringify(narrow)}`);
      const wide = reached(kind, 256, 1.5e-4);
      assert.ok(wide.terms <= 256 && wide.error <= 1.5e-4, `${kind} 256: ${JSON.stringify(wide)}`);
    }
    const coarse = reached("log", 1024, 0.1);
    assert.ok(coarse.terms <= 64 && coarse.error <= 0.1, JSON.stringify(coarse));
  });

  it("takes more terms where a wide interval would miss the error by far", () => {
    const wide = { from: 1, to: 2000, maxError: 2 ** -12 };
    const { harmonics, maxError } = rowSeries(plain("inverseRoot"), wide);
    assert.ok(harmonics.length > 384 && maxError <= 8 * wide.maxError, `${harmonics.length} terms: ${maxError}`);
  });

  it("makes one fit for all intervals of a class, whatever their octave, factor and shift", () => {
    const interval = { from: 0.53, to: 41.3, maxError: 3e-4 };
    for (const [row] of functions) {
      rowSeries(row, interval);
      for (const octave of [-7, 3, 12]) {
        const scaled = { ...interval, from: interval.from * 2 ** octave, to: interval.to * 2 ** octave * 1.0001 };
        const shifted = { ...row, factor: 2 * row.factor, shift: row.shift * 2 ** octave };
        assert.ok(rowFit(shifted, scaled).isKept(), `${row.name}, ${octave}`);
      }
      assert.ok(!rowFit(row, { ...interval, to: 2 * interval.to }).isKept());
    }
  });

  it("refuses an interval that isn't positive", () => {
    for (const [from, to] of [
      [0, 1],
      [2, 2],
      [3, 1],
      [-1, 1],
      [1, Infinity],
    ] as const)
      assert.throws(() => rowSeries(plain("log"), { from, to, maxError: 1e-3 }), /expected an interval 0 < from < to/);
  });
});

describe("tanhSeries", () => {
  it("is within a twenty-thousandth of the cap", () => {
    for (const [cap, scale, bound] of [
      [50, 1, 100],
      [30, 0.125, 800],
    ] as const) {
      const series = tanhSeries(cap, scale, bound);
      assert.ok(largestError(series, (x) => cap * Math.tanh((scale * x) / cap)) <= 5e-5 * cap);
      assert.ok(series.cos.every((value) => value === 0));
    }
  });
});

describe("seriesPrecision", () => {
  const noise = ({ harmonics, cos, sin }: Series, tableFracBits: number, wordFracBits: number): number =>
    Math.sqrt((harmonics.length * 4 ** -wordFracBits + Math.hypot(...cos, ...sin) ** 2 * 4 ** -tableFracBits) / 12);

  it("takes the fewest bits in all that keep rounding within the error", () => {
    for (const error of [1e-3, 2 ** -12, 2 ** -14])
      for (const reach of [6, 12, 31]) {
        const series = activationSeries("gelu", reach, 1e-3);
        const { tableFracBits, wordFracBits } = seriesPrecision(series, error);
        assert.ok(noise(series, tableFracBits, wordFracBits) <= error);
        for (let table = 8; table <= 20; table++)
          assert.ok(noise(series, table, tableFracBits + wordFracBits - 1 - table) > error, `${table} bits`);
      }
  });

  it("says what the gate's rounding is", async () => {
    const f = activationSeries("gelu", 12, 1e-3);
    const fracBits = 10;
    const x = Array.from({ length: 20_000 }, (_, i) => BigInt(((i * 7919) % 24_576) - 12_288));
    const wire = { kind: "wire", rows: 1, columns: x.length, fracBits, bits: f.periodBits + fracBits } as const;
    const precision = seriesPrecision(f, 3e-4);
    const outFracBits = precision.tableFracBits + precision.wordFracBits;
    const share = { kind: "share", rows: 1, columns: x.length, fracBits: outFracBits, ringBits: 44 } as const;
    const instruction = { gate: "series", x: 0, out: 1, series: f, ...precision } as const;
    const { out, clear } = await runGate(
      series,
      instruction,
      [wire, share],
      { 0: x },
      { parties: 2, seed: "rounding" },
    );
    const errors = out.map((value, i) => Number(value - clear[i]) / 2 ** outFracBits);
    const measured = rootMeanSquare(errors);
    const said = noise(f, precision.tableFracBits, precision.wordFracBits);
    assert.ok(measured < 1.2 * said && measured > said / 1.3, `${measured}, said ${said}`);
  });
});

describe("expPrecision", () => {
  it("says what the gate's rounding is, in few wide windows and in many, and no bit more than needed", async () => {
    for (const [windows, temperature] of [
      [4, 1],
      [8, 1],
      [2, 4],
    ] as const) {
      const height = 64 / windows / temperature;
      const [absoluteError, relativeError] = [roundingError(12), roundingError(11)];
      const precision = expPrecision({ height, absoluteError, relativeError });
      const from = -60 * (1 - 1 / windows);
      // A fine table leaves the words' rounding, fine words leave the table's.
      for (const [tableFracBits, wordFracBits, wanted] of [
        [46, precision.wordFracBits, absoluteError],
        [precision.tableFracBits, 25, relativeError * Math.exp(-0.5 / temperature)],
      ] as const) {
        const fracBits = tableFracBits + wordFracBits;
        const same = Array.from({ length: 4000 }, () => -512n);
        const values = [
          { kind: "wire", rows: 1, columns: same.length, fracBits: 10, bits: 16 },
          { kind: "share", rows: 1, columns: same.length, fracBits, ringBits: 64 },
        ] as const;
        const instruction = {
          gate: "exp",
          x: 0,
          out: 1,
          temperature,
          from,
          windows,
          tableFracBits,
          wordFracBits,
        } as const;
        const setting = { parties: 2, seed: `${windows} ${wordFracBits}` };
        const { out, clear } = await runGate(exp, instruction, values, { 0: same }, setting);
        const errors = out.map((value, i) => Number(signedMod(value - clear[i], 64)) / 2 ** fracBits);
        const measured = rootMeanSquare(errors);
        assert.ok(
          measured < 1.15 * wanted && measured > wanted / 2.3,
          `${windows}, ${wordFracBits}: ${measured}, ${wanted}`,
        );
      }
    }
  });
});

describe("least squares", () => {
  it("solves positive definite systems", () => {
    const entries = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(entries, (values) => {
        // A = M M' + I from 4 * 4 entries, b the other four.
        const a = new Float64Array(16);
        for (let i = 0; i < 4; i++)
          for (let j = 0; j < 4; j++)
            for (let k = 0; k < 4; k++) a[i * 4 + j] += values[i * 4 + k] * values[j * 4 + k] + (i === j ? 0.25 : 0);
        const b = Float64Array.from(values.slice(16));
        const x = solvePositive(a.slice(), b, 4);
        for (let i = 0; i < 4; i++) {
          const sum = x.reduce((total, value, j) => total + a[i * 4 + j] * value, 0);
          assert.ok(Math.abs(sum - b[i]) < 1e-12);
        }
      }),
    );
    assert.throws(() => solvePositive(Float64Array.of(1, 0, 2, 1), Float64Array.of(1, 1), 2), /positive definite/);
  });

  it("finds the straight line with the least largest error", () => {
    // c^2 on [0, 1] of c = cos(2 pi x), x in [0, 1/4]: c - 1/8, error 1/8 at both ends and at 1/2.
    const size = 1024;
    const values = Float64Array.from({ length: size / 4 + 1 }, (_, i) => Math.cos((2 * Math.PI * i) / size) ** 2);
    const problem = { size, values, tolerances: new Float64Array(values.length).fill(1) };
    const { coefficients, worst, errors } = cosineMinimax(problem, 1, 0.126);
    assert.ok(Math.abs(coefficients[0] + 0.125) < 2e-3 && Math.abs(coefficients[1] - 1) < 2e-3);
    assert.ok(worst <= 0.126 && Math.abs(worst - Math.max(...errors.map(Math.abs))) < 1e-12);
    const early = cosineMinimax(problem, 1, 0.12);
    assert.ok(early.worst > 0.12 && early.worst < 0.2, "an error that is out of reach is given up");
  });

  it("solves Toeplitz systems as Cholesky's factorisation does", () => {
    const size = 40;
    const xs = Array.from({ length: 300 }, (_, i) => 0.03 + (0.5 * i) / 300);
    const sumOf = (turn: (x: number) => number): number => xs.reduce((sum, x) => sum + x * turn(2 * Math.PI * x), 0);
    const row = {
      re: Float64Array.from({ length: size }, (_, m) => sumOf((x) => Math.cos(m * x)) + (m === 0 ? 1e-6 : 0)),
      im: Float64Array.from({ length: size }, (_, m) => sumOf((x) => Math.sin(m * x))),
    };
    const b = {
      re: Float64Array.from({ length: size }, (_, m) => sumOf((x) => Math.cos(m * x) * x)),
      im: Float64Array.from({ length: size }, (_, m) => sumOf((x) => Math.sin(m * x))),
    };
    const { re, im } = solveToeplitz(row, b);
    const entry = (m: number): [number, number] => (m < 0 ? [row.re[-m], -row.im[-m]] : [row.re[m], row.im[m]]);
    for (let j = 0; j < size; j++) {
      let [left, right] = [-b.re[j], -b.im[j]];
      for (let k = 0; k < size; k++) {
        const [c, s] = entry(k - j);
        left += c * re[k] - s * im[k];
        right += c * im[k] + s * re[k];
      }
      const scale = row.re[0] * Math.hypot(...re, ...im);
      assert.ok(Math.hypot(left, right) < 1e-14 * scale, `row ${j}: ${Math.hypot(left, right) / scale}`);
    }
    row.re[1] = 2 * row.re[0];
    assert.throws(() => solveToeplitz(row, b), /positive definite/);
  });

  it("transforms as the definition says", () => {
    const size = 32;
    const [re, im] = [0, 1].map((k) => Float64Array.from({ length: size }, (_, i) => Math.sin(7 * i * i + k)));
    const expected = Array.from({ length: size }, (_, k) =>
      [...re.keys()].reduce(
        ([a, b], j) => {
          const [c, s] = [Math.cos, Math.sin].map((turn) => turn((2 * Math.PI * j * k) / size));
          return [a + re[j] * c + im[j] * s, b + im[j] * c - re[j] * s];
        },
        [0, 0],
      ),
    );
    fourierTransform(re, im);
    expected.forEach(([a, b], k) => assert.ok(Math.hypot(re[k] - a, im[k] - b) < 1e-12));
  });
});
