import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { evaluateCost } from "../../../protocols/cost.ts";
import type { Gate } from "../../../protocols/smpc/plan/gate.ts";
import { gates } from "../../../protocols/smpc/gates/registry.ts";
import type {
  AttentionLayout,
  GateName,
  InstructionOf,
  MatrixSource,
  ValueInfo,
} from "../../../protocols/smpc/plan/instruction.ts";
import { missingHeaders } from "../../house/house-rules.ts";

const CHECKOUT = path.resolve(import.meta.dirname, "../../..");
const FOLDER = "protocols/smpc/gates";

/** Files that gates share, which are no gates of their own. */
const NO_GATES = new Set(["registry.ts"]);

const files = readdirSync(path.join(CHECKOUT, FOLDER)).filter((file) => !NO_GATES.has(file));
const sources = new Map(
  files.map((file) => [`${FOLDER}/${file}`, readFileSync(path.join(CHECKOUT, FOLDER, file), "utf8")]),
);
const isGate = (file: string): boolean => /export const [\w-]+: Gate</.test(sources.get(`${FOLDER}/${file}`)!);

describe("the gates", () => {
  it("are all registered under their own name, one a file", () => {
    const registered = Object.entries(gates).map(([name, gate]) => {
      assert.equal(gate.name, name);
      return `${name}.ts`;
    });
    assert.deepEqual(registered.sort(), files.filter(isGate).sort());
  });

  it("open with what they do, who does it, what leaks, what they assume, cost and bound", () => {
    assert.deepEqual(missingHeaders(sources), []);
  });

  it("declare costs that evaluate, and deal what they cost", () => {
    for (const name of Object.keys(gates) as GateName[]) {
      // One entry of the records, whose gate and instruction belong together.
      const gate = gates[name] as unknown as Gate<"extend">;
      const instruction = samples[name] as InstructionOf<"extend">;
      const info = (id: number): ValueInfo => values[id];
      const dealtBits = gate.dealt(instruction, info).reduce((sum, { bits, count }) => sum + bits * count, 0);
      for (const n of [2, 3, 4]) {
        const quantities = { ...gate.quantities(instruction, info), n };
        assert.equal(evaluateCost(gate.cost.dealtBits, quantities), dealtBits, `${name}: dealt bits`);
        for (const expression of Object.values(gate.cost)) assert.ok(evaluateCost(expression, quantities) >= 0, name);
      }
    }
  });

  it("send nothing, but for open", () => {
    for (const [name, { cost }] of Object.entries(gates)) {
      const sends = name === "open";
      assert.equal(cost.onlineBits === "0", !sends, `${name}: online bits`);
      assert.equal(cost.rounds, sends ? "1" : "0", `${name}: rounds`);
    }
  });
});

const layout: AttentionLayout = { heads: 2, kvHeads: 1, headDim: 4, queries: 3, past: 0, causal: true, window: null };
const matrix: MatrixSource = {
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

const share = (rows: number, columns: number, ringBits = 40): ValueInfo => ({
  kind: "share",
  rows,
  columns,
  fracBits: 8,
  ringBits,
});
const wire = (rows: number, columns: number, bits = 24): ValueInfo => ({
  kind: "wire",
  rows,
  columns,
  fracBits: 8,
  bits,
});

/** Rows of 8, of 4, attention entries (2 heads of 1 + 2 + 3), one a row; products of matrices stay in their wires' ring. */
const values: readonly ValueInfo[] = [
  share(3, 8),
  share(3, 8),
  wire(3, 8),
  wire(3, 8),
  wire(3, 4),
  wire(12, 1),
  wire(12, 1),
  share(12, 1, 24),
  wire(6, 1),
  share(6, 1),
  wire(3, 1),
  share(3, 1),
  share(3, 8, 24),
  share(12, 1, 60),
  share(12, 1, 60),
];

/** One instruction for every gate, on the values above. */
const samples: { readonly [G in GateName]: InstructionOf<G> } = {
  input: { gate: "input", out: 0, name: "x" },
  output: { gate: "output", x: 0, name: "y", bits: 20 },
  linear: { gate: "linear", x: 0, out: 1, matrix, matrixFracBits: 0 },
  combine: { gate: "combine", terms: [{ x: 0, factor: 2 }], out: 1 },
  columns: { gate: "columns", x: 0, out: 1, scale: "g", factor: 1, scaleFracBits: 0, bias: null },
  rotate: {
    gate: "rotate",
    x: 0,
    out: 1,
    headDim: 4,
    inverseFrequencies: [1, 0.1],
    firstPosition: 0,
    factor: 1,
    tableFracBits: 0,
  },
  centre: { gate: "centre", x: 0, out: 1, multiplier: 8, constantBits: 0 },
  pivot: { gate: "pivot", x: 0, out: 1, key: "k", firstPosition: 0 },
  shift: { gate: "shift", x: 0, out: 1, bits: 3 },
  open: { gate: "open", x: 0, out: 2 },
  append: { gate: "append", x: 2, out: 3, key: "v" },
  extend: { gate: "extend", x: 2, out: 1 },
  scores: { gate: "scores", q: 2, k: 4, out: 7, layout },
  mix: { gate: "mix", p: 5, v: 4, out: 12, layout },
  squares: { gate: "squares", x: 2, out: 11, width: 8 },
  "square-scale": { gate: "square-scale", x: 5, square: 13, scale: 8, out: 14, layout, droppedBits: 5 },
  "row-scale": { gate: "row-scale", x: 2, scale: 10, out: 1, width: 8 },
  multiply: { gate: "multiply", a: 2, b: 3, out: 1 },
  series: {
    gate: "series",
    x: 2,
    out: 1,
    series: {
      periodBits: 16,
      constant: 0,
      harmonics: [1, 2],
      cos: [0.5, 0.1],
      sin: [0.2, 0],
      maxError: 0,
      from: 0,
      to: 1,
      name: "test",
    },
    tableFracBits: 4,
    wordFracBits: 4,
  },
  exp: {
    gate: "exp",
    x: 5,
    out: 7,
    temperature: 1,
    from: -4,
    windows: 4,
    tableFracBits: 4,
    wordFracBits: 4,
  },
  "row-sum": { gate: "row-sum", x: 7, out: 9, layout },
  "row-difference": { gate: "row-difference", x: 5, row: 8, out: 6, layout },
  diagonal: { gate: "diagonal", x: 5, out: 8, layout },
};
