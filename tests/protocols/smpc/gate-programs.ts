/** A small program for every gate: inputs, openings, the gate, an output, in wires and rings of given widths. */
import type { GateName, Instruction, Plan } from "../../../protocols/smpc/plan/instruction.ts";
import type { AttentionLayout } from "../../../protocols/smpc/plan/attention-layout.ts";
import type { MatrixSource } from "../../../protocols/smpc/factors/matrix-source.ts";
import type { ValueId } from "../../../protocols/smpc/plan/value.ts";
import { PlanBuilder } from "../../../protocols/smpc/plan/plan-builder.ts";
import { ModelFactors } from "../../../protocols/smpc/factors/public-factors.ts";
import { Generator } from "../../../shares/generator.ts";
import type { Words } from "../../../shares/words.ts";

/** Bits of the wires that a gate reads, and of the ring of what it makes (products of matrices: the wires' own). */
export interface GateWidths {
  readonly wireBits: number;
  readonly ringBits: number;
}

/** A program and its inputs, signed integers by name. */
export interface GateProgram {
  readonly plan: Plan;
  readonly inputs: Readonly<Record<string, Words>>;
  /** Numbers of a client that evaluates gates, by name. */
  readonly clientInputs: Readonly<Record<string, Float64Array>>;
}

/** Two heads over one of keys, three rows that see 1, 2 and 3 keys: 12 entries, 6 rows of them. */
const LAYOUT: AttentionLayout = { heads: 2, kvHeads: 1, headDim: 4, queries: 3, past: 0, causal: true, window: null };
const [ENTRIES, ENTRY_ROWS] = [12, 6];
const FRAC_BITS = 4;

const parameters: Readonly<Record<string, { data: Float32Array; shape: number[] }>> = {
  w: { data: Float32Array.from({ length: 64 }, (_, i) => Math.sin(i) / 2), shape: [8, 8] },
  b: { data: Float32Array.from({ length: 8 }, (_, i) => i / 4 - 1), shape: [8] },
};

/** Public integers of all programs. */
export const gateFactors = (): ModelFactors => new ModelFactors((name) => parameters[name]);

const MATRIX: MatrixSource = {
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

/** The program of a gate; its inputs are drawn from `seed`, edges of the declared domain among them. */
export function gateProgram(gate: GateName, widths: GateWidths, seed: string): GateProgram {
  const drawing = new Drawing(widths, seed);
  const out = PROGRAMS[gate](drawing);
  drawing.builder.emit({ gate: "output", x: out, name: "y", bits: drawing.outBits });
  return { plan: drawing.builder.finish(), inputs: drawing.inputs, clientInputs: drawing.clientInputs };
}

class Drawing {
  readonly builder = new PlanBuilder();
  readonly inputs: Record<string, Words> = {};
  readonly clientInputs: Record<string, Float64Array> = {};
  readonly wireBits: number;
  outBits: number;
  readonly #generator: Generator;

  constructor({ wireBits, ringBits }: GateWidths, seed: string) {
    this.wireBits = wireBits;
    this.outBits = ringBits;
    this.#generator = new Generator(seed, "gate program");
  }

  /** Values of [low, high], a third of them at an end. */
  share(name: string, rows: number, columns: number, low: bigint, high: bigint): ValueId {
    const random: Words = new BigUint64Array(rows * columns);
    this.#generator.fillWords(random, 64);
    this.inputs[name] = random.map((word, i) =>
      BigInt.asUintN(64, i % 3 === 0 ? (i % 2 === 0 ? low : high) : low + (word % (high - low + 1n))),
    );
    const out = this.builder.share(rows, columns, FRAC_BITS);
    this.builder.emit({ gate: "input", out, name });
    return out;
  }

  /** A share within a quarter of a wire's ring to both sides. */
  narrow(name: string, rows: number, columns: number): ValueId {
    const quarter = 1n << BigInt(this.wireBits - 2);
    return this.share(name, rows, columns, -quarter, quarter - 1n);
  }

  open(x: ValueId): ValueId {
    const { rows, columns, fracBits } = this.builder.info(x);
    const out = this.builder.wire(rows, columns, fracBits, this.wireBits);
    this.builder.emit({ gate: "open", x, out });
    return out;
  }

  /** The gate's output as a share of this shape, with as many more fractional bits as it has by its tables. */
  made(rows: number, columns: number, instruction: (out: ValueId) => Instruction, moreFracBits = 0): ValueId {
    const out = this.builder.share(rows, columns, FRAC_BITS + moreFracBits);
    this.builder.emit(instruction(out));
    return out;
  }

  /** The gate's output as a wire. */
  wired(rows: number, columns: number, instruction: (out: ValueId) => Instruction): ValueId {
    const out = this.builder.wire(rows, columns, FRAC_BITS, this.wireBits);
    this.builder.emit(instruction(out));
    return out;
  }

  /** Numbers of the client between -1 and 1, [rows, columns]. */
  own(name: string, height: number, columns: number): ValueId {
    const random: Words = new BigUint64Array(height * columns);
    this.#generator.fillWords(random, 32);
    this.clientInputs[name] = Float64Array.from(random, (word) => Number(word) / 2 ** 31 - 1);
    const out = this.builder.client(height, columns);
    this.builder.emit({ gate: "client-input", out, name });
    return out;
  }

  exp(x: ValueId): ValueId {
    const period = 2 ** (this.wireBits - FRAC_BITS);
    return this.made(
      ENTRIES,
      1,
      (out) => ({
        gate: "exp",
        x,
        out,
        temperature: period / 8,
        from: -period / 2,
        windows: 8,
        tableFracBits: 8,
        wordFracBits: 8,
      }),
      16 - FRAC_BITS,
    );
  }
}

const rows = (at: Drawing): ValueId => at.narrow("x", 3, 8);
const extended = (at: Drawing, x: ValueId): ValueId => {
  const { rows: height, columns } = at.builder.info(x);
  return at.made(height, columns, (out) => ({ gate: "extend", x, out }));
};

/** A client that scales its rows, has them multiplied, and gives the product back as a share. */
const delegated = (at: Drawing): ValueId => {
  const x = at.own("c", 3, 8);
  const scaled = at.builder.client(3, 8);
  at.builder.emit({ gate: "evaluate", operation: { name: "scale", factor: 0.5 }, inputs: [{ x }], out: scaled });
  const taken = at.made(3, 8, (out) => ({ gate: "take", x: scaled, out, normalised: true }));
  const matrix = { ...MATRIX, bias: null, isNormalised: true };
  const product = at.made(3, 8, (out) => ({ gate: "linear", x: taken, out, matrix, matrixFracBits: 6 }), 6);
  const given = at.builder.client(3, 8);
  at.builder.emit({
    gate: "give",
    x: product,
    out: given,
    bits: FRAC_BITS + 8,
    droppedBits: 3,
    othersDroppedBits: 2,
    rowsOf: [{ x: scaled }],
    columnsOf: matrix,
  });
  at.builder.emit({ gate: "client-output", x: given, name: "own" });
  // Units of the result: half of what each party drops, and a row is shorter than 2.
  return at.made(3, 8, (out) => ({ gate: "take", x: given, out, normalised: false }));
};

/** Each returns the share that leaves. */
const PROGRAMS: { readonly [G in GateName]: (at: Drawing) => ValueId } = {
  input: rows,
  "client-input": delegated,
  "client-output": delegated,
  evaluate: delegated,
  take: delegated,
  give: delegated,
  output: rows,
  open: (at) => extended(at, at.open(rows(at))),
  extend: (at) => extended(at, at.open(rows(at))),
  linear: (at) => {
    const x = rows(at);
    return at.made(3, 8, (out) => ({ gate: "linear", x, out, matrix: MATRIX, matrixFracBits: 6 }), 6);
  },
  combine: (at) => {
    const [x, y] = [rows(at), at.narrow("z", 3, 8)];
    const terms = [
      { x, factor: 4 },
      { x: y, factor: 1 },
    ];
    return at.made(3, 8, (out) => ({ gate: "combine", terms, out }));
  },
  columns: (at) => {
    const x = rows(at);
    return at.made(
      3,
      8,
      (out) => ({ gate: "columns", x, out, scale: "b", factor: 0.5, scaleFracBits: 5, bias: "b" }),
      5,
    );
  },
  rotate: (at) => {
    const x = rows(at);
    return at.made(
      3,
      8,
      (out) => ({
        gate: "rotate",
        x,
        out,
        headDim: 4,
        inverseFrequencies: [1, 0.1],
        firstPosition: 2,
        factor: 1,
        tableFracBits: 6,
      }),
      6,
    );
  },
  centre: (at) => {
    const x = rows(at);
    return at.made(3, 8, (out) => ({ gate: "centre", x, out, multiplier: 1, constantBits: 3 }), 3);
  },
  pivot: (at) => {
    const x = rows(at);
    return at.made(3, 8, (out) => ({ gate: "pivot", x, out, key: "first", firstPosition: 0 }));
  },
  shift: (at) => {
    const x = rows(at);
    at.outBits = Math.min(at.outBits, 58);
    return at.made(3, 8, (out) => ({ gate: "shift", x, out, bits: 5 }));
  },
  scores: (at) => {
    const [q, k] = [at.open(rows(at)), at.open(at.narrow("k", 3, 4))];
    at.outBits = at.wireBits;
    return at.made(ENTRIES, 1, (out) => ({ gate: "scores", q, k, out, layout: LAYOUT }));
  },
  append: (at) => PROGRAMS.mix(at),
  mix: (at) => {
    const [p, v] = [at.open(at.narrow("p", ENTRIES, 1)), at.open(at.narrow("v", 3, 4))];
    const kept = at.wired(3, 4, (out) => ({ gate: "append", x: v, out, key: "kept" }));
    at.outBits = at.wireBits;
    return at.made(3, 8, (out) => ({ gate: "mix", p, v: kept, out, layout: LAYOUT }));
  },
  squares: (at) => {
    const x = at.open(rows(at));
    return at.made(3, 2, (out) => ({ gate: "squares", x, out, width: 4 }));
  },
  "square-scale": (at) => {
    const unit = 1n << BigInt(at.wireBits - 5);
    const x = at.open(at.share("x", ENTRIES, 1, -unit, 15n * unit));
    const scale = at.open(at.narrow("scale", ENTRY_ROWS, 1));
    const square = at.made(ENTRIES, 1, (out) => ({ gate: "squares", x, out, width: 1, nonNegative: true }));
    return at.made(ENTRIES, 1, (out) => ({
      gate: "square-scale",
      x,
      square,
      scale,
      out,
      layout: LAYOUT,
      droppedBits: 3,
    }));
  },
  "row-scale": (at) => {
    const [x, scale] = [at.open(rows(at)), at.open(at.narrow("scale", 3, 2))];
    return at.made(3, 8, (out) => ({ gate: "row-scale", x, scale, out, width: 4 }));
  },
  multiply: (at) => {
    const [a, b] = [at.open(rows(at)), at.open(at.narrow("b", 3, 8))];
    return at.made(3, 8, (out) => ({ gate: "multiply", a, b, out }));
  },
  series: (at) => {
    const x = at.open(rows(at));
    const series = {
      periodBits: at.wireBits - FRAC_BITS,
      constant: 0.5,
      harmonics: [1, 3],
      cos: [0.5, 0.1],
      sin: [0, 0.25],
      maxError: 0,
      from: -1,
      to: 1,
      name: "test",
    };
    return at.made(
      3,
      8,
      (out) => ({ gate: "series", x, out, series, tableFracBits: 8, wordFracBits: 8, coarserBits: [0, 2] }),
      16 - FRAC_BITS,
    );
  },
  exp: (at) => at.exp(at.open(at.narrow("x", ENTRIES, 1))),
  "row-sum": (at) => {
    const x = at.narrow("x", ENTRIES, 1);
    return at.made(ENTRY_ROWS, 1, (out) => ({ gate: "row-sum", x, out, layout: LAYOUT, byQuery: true }));
  },
  "row-difference": (at) => PROGRAMS.diagonal(at),
  diagonal: (at) => {
    const eighth = 1n << BigInt(at.wireBits - 3);
    const x = at.open(at.share("x", ENTRIES, 1, -eighth, eighth));
    const own = at.wired(ENTRY_ROWS, 1, (out) => ({ gate: "diagonal", x, out, layout: LAYOUT }));
    return at.exp(at.wired(ENTRIES, 1, (out) => ({ gate: "row-difference", x, row: own, out, layout: LAYOUT })));
  },
};
