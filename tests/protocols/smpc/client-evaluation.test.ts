/** What a client computes on its own numbers: every operation beside the float64 reading of the block program. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { plainAttention } from "../../../layers/reference/attention.ts";
import { referenceAlgebra } from "../../../layers/reference/algebra.ts";
import { build, matrixOf, type Matrix } from "../../../layers/reference/matrix.ts";
import type { Activation } from "../../../layers/model-spec.ts";
import { evaluateOperation } from "../../../protocols/smpc/evaluation/evaluate-operation.ts";
import type { Operation, OperationName } from "../../../protocols/smpc/evaluation/operation.ts";
import { ModelClientFactors } from "../../../protocols/smpc/factors/client-factors.ts";
import { attentionCase } from "../../layers/attention-cases.ts";
import { maxError } from "../../layers/golden-models.ts";
import { seededNumbers as numbers } from "./seeded-numbers.ts";

const columnsOf = (columns: number, seed: string): Float32Array => Float32Array.from(numbers(seed, columns));

describe("evaluate", () => {
  /** An operation, what it works on, and what the float64 reading makes of it. */
  interface Case {
    readonly operation: Operation;
    readonly inputs: readonly Matrix[];
    readonly expected: (algebra: ReturnType<typeof referenceAlgebra>, inputs: readonly Matrix[]) => Matrix;
    /** Position of the first row. */
    readonly firstPosition?: number;
  }
  const [ROWS, WIDTH] = [5, 12];
  const parameters: Readonly<Record<string, { readonly data: Float32Array; readonly shape: number[] }>> = {
    gain: { data: columnsOf(WIDTH, "gain"), shape: [WIDTH] },
    "head.gain": { data: columnsOf(4, "head gain"), shape: [4] },
    bias: { data: columnsOf(WIDTH, "bias"), shape: [WIDTH] },
  };
  const rowsOf = (seed: string, size = 3): Matrix => {
    const data = numbers(seed, ROWS * WIDTH);
    return build(ROWS, WIDTH, (row, column) => size * data[row * WIDTH + column]);
  };
  const norm = { name: "norm", epsilon: 1e-5, gain: "gain", bias: null } as const;
  const inverseFrequencies = [1, 0.1];

  const CASES: Readonly<Record<Exclude<OperationName, "attention">, readonly Case[]>> = {
    norm: [
      {
        operation: { ...norm, width: WIDTH, centred: true, bias: "bias" },
        inputs: [rowsOf("layer norm")],
        expected: (algebra, [x]) => algebra.layerNorm(x, "gain", "bias", 1e-5),
      },
      {
        operation: { ...norm, width: WIDTH, centred: false },
        inputs: [rowsOf("rms norm", 24_000)],
        expected: (algebra, [x]) => algebra.rmsNorm(x, "gain", 1e-5, WIDTH),
      },
      {
        operation: { ...norm, width: 4, centred: false, gain: "head.gain" },
        inputs: [rowsOf("rms norm of heads")],
        expected: (algebra, [x]) => algebra.rmsNorm(x, "head.gain", 1e-5, 4),
      },
    ],
    activation: (["gelu", "geluTanh", "silu", "relu"] as const satisfies readonly Activation[]).map((kind) => ({
      operation: { name: "activation", kind },
      inputs: [rowsOf(kind, 8)],
      expected: (algebra, [x]) => algebra.activate(x, kind),
    })),
    "soft-cap": [
      {
        operation: { name: "soft-cap", cap: 5 },
        inputs: [rowsOf("soft cap", 20)],
        expected: (algebra, [x]) => algebra.softCap(x, 5),
      },
    ],
    scale: [
      {
        operation: { name: "scale", factor: -0.75 },
        inputs: [rowsOf("scale")],
        expected: (algebra, [x]) => algebra.scale(x, -0.75),
      },
    ],
    add: [
      {
        operation: { name: "add" },
        inputs: [rowsOf("left"), rowsOf("right")],
        expected: (algebra, [x, y]) => algebra.add(x, y),
      },
    ],
    multiply: [
      {
        operation: { name: "multiply" },
        inputs: [rowsOf("left factor"), rowsOf("right factor")],
        expected: (algebra, [x, y]) => algebra.multiply(x, y),
      },
    ],
    "add-bias": [
      {
        operation: { name: "add-bias", bias: "bias" },
        inputs: [rowsOf("before bias")],
        expected: (_, [x]) => build(ROWS, WIDTH, (row, column) => x.get(row, column) + parameters.bias.data[column]),
      },
    ],
    rotate: [0, 7].map((firstPosition) => ({
      operation: { name: "rotate", headDim: 4, inverseFrequencies, firstPosition },
      inputs: [rowsOf(`rotate ${firstPosition}`)],
      expected: (algebra, [x]) => algebra.rotate(x, { inverseFrequencies }, 4),
      firstPosition,
    })),
  };

  for (const [name, cases] of Object.entries(CASES))
    it(`${name} is what the float64 reading says`, () => {
      for (const { operation, inputs, expected, firstPosition = 0 } of cases) {
        const positions = Array.from({ length: ROWS }, (_, row) => firstPosition + row);
        const algebra = referenceAlgebra((parameter) => parameters[parameter], { ids: [], positions });
        const mine = evaluateOperation(operation, inputs.map(flat), {
          rows: ROWS,
          model: new ModelClientFactors((parameter) => parameters[parameter]),
          kept: new Map(),
        });
        const error = maxError(mine, flat(expected(algebra, inputs)));
        assert.ok(error <= 1e-11, `${JSON.stringify(operation)}: expected the same, got ${error}`);
      }
    });

  it("attention is what the float64 reading says, of rows at once and step by step, windows included", () => {
    fc.assert(
      fc.property(attentionCase(1e4), fc.integer({ min: 1, max: 4 }), ({ spec, q, k, v }, steps) => {
        // A sequence: every row has its query, key and value.
        const rows = Math.min(q.shape[0], k.shape[0]);
        const [queries, keys, values] = [q, k, v].map(({ data, shape }) => data.slice(0, rows * shape[1]));
        const positions = Array.from({ length: rows }, (_, row) => row);
        const placed = (data: Float32Array) => ({
          rows: matrixOf({ data, shape: [rows, data.length / rows] }),
          positions,
        });
        const expected = flat(plainAttention(spec, placed(queries), placed(keys), placed(values).rows));
        // Only what is causal can be had row by row.
        const cuts = spec.causal ? Array.from({ length: steps }, (_, at) => Math.floor((at * rows) / steps)) : [0];
        const kept = new Map<string, Float64Array>();
        const found = [...new Set(cuts)].flatMap((from, at, all) => {
          const end = all[at + 1] ?? rows;
          const part = (data: Float32Array): Float64Array =>
            Float64Array.from(data.slice((data.length / rows) * from, (data.length / rows) * end));
          return [
            ...evaluateOperation(
              { name: "attention", spec, key: "layers.0", firstPosition: from, past: from, prefix: null },
              [queries, keys, values].map(part),
              { rows: end - from, model: new ModelClientFactors(() => assert.fail("no parameters")), kept },
            ),
          ];
        });
        const error = maxError(found, expected);
        assert.ok(error <= 1e-9, `expected the same, got ${error}`);
      }),
    );
  });

  it("says which rows it lacks where a step before is missing", () => {
    const spec = { heads: 1, kvHeads: 1, headDim: 2, scale: 1, softCap: null, causal: true, window: null };
    const row = Float64Array.of(1, 2);
    assert.throws(
      () =>
        evaluateOperation(
          { name: "attention", spec, key: "layers.3", firstPosition: 4, past: 4, prefix: null },
          [row, row, row],
          {
            rows: 1,
            model: new ModelClientFactors(() => assert.fail("no parameters")),
            kept: new Map(),
          },
        ),
      /^Error: layers\.3\.k: expected 8 numbers that the steps before kept, got none$/,
    );
  });
});

function flat(matrix: Matrix): Float64Array {
  const [rows, columns] = matrix.shape;
  return Float64Array.from({ length: rows * columns }, (_, i) => matrix.get(Math.floor(i / columns), i % columns));
}
