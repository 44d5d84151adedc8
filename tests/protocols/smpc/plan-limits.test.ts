/** What a plan may ask for: refused at lowering, before memory is taken, whoever the ranges come from. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { llama } from "../../../layers/architectures/llama.ts";
import { lowerLayers, refuseRanges, type LayerRun } from "../../../protocols/smpc/lowering/lower-layers.ts";
import { DEFAULT_PRECISION, FINE_PRECISION, type Precision } from "../../../protocols/smpc/lowering/precision.ts";
import { modelRanges, type SiteKind, type SiteRange } from "../../../protocols/smpc/lowering/ranges.ts";
import { UnitStatistics } from "../../../protocols/smpc/factors/unit-statistics.ts";
import { gateOf } from "../../../protocols/smpc/plan/gate-of.ts";
import type { Instruction, Plan } from "../../../protocols/smpc/plan/instruction.ts";
import {
  MOST_DEALT_BYTES,
  MOST_INDEX_BITS,
  MOST_TABLE_BYTES,
  MOST_VALUE_BYTES,
} from "../../../protocols/smpc/plan/plan-limits.ts";
import { checkPlanSize, planSize } from "../../../protocols/smpc/plan/plan-size.ts";
import { RingBudgetError } from "../../../protocols/smpc/plan/ring-budget-error.ts";
import type { ValueInfo } from "../../../protocols/smpc/plan/value.ts";
import { dealAll } from "../../../protocols/smpc/run/dealer-run.ts";
import { StreamBook } from "../../../shares/stream-book.ts";
import { MAX_REFUSAL_BYTES, MAX_REFUSAL_CPU_MS } from "../../layers/refusal.ts";
import { tinyLayer } from "./tiny-plan.ts";

const LAYER = tinyLayer("llama", "limits");
const KINDS: readonly SiteKind[] = ["norm", "activation", "operand", "logits", "attended", "out"];

/** Ranges that hold the tiny layer, by kind of site. */
const TAME: Readonly<Partial<Record<SiteKind, Omit<SiteRange, "range">>>> = {
  norm: { maxAbs: 15, minSquare: 0.5, maxSquare: 12 },
  logits: { maxAbs: 15, low: -8, high: 8, spread: 12 },
};

type Ranges = Readonly<Partial<Record<SiteKind, Omit<SiteRange, "range">>>>;

function lower(ranges: Ranges, precision: Precision, more: Partial<LayerRun> = {}): Plan {
  return lowerLayers({
    ...LAYER.run,
    rows: 3,
    past: 0,
    precision,
    ranges: (site) => {
      const kind = site.split(".").at(-2) as SiteKind;
      return { range: "calibrated", ...(ranges[kind] ?? TAME[kind] ?? { maxAbs: 15 }) };
    },
    ...more,
  });
}

/** Asserts that a plan is refused by an error that names the site, the bits and what to do, within the bounds on time and memory. */
function assertRefused(run: () => Plan, fault: RegExp): void {
  const peakBefore = process.resourceUsage().maxRSS * 1024;
  const cpuBefore = process.cpuUsage();
  let error: unknown = null;
  try {
    run();
  } catch (thrown) {
    error = thrown;
  }
  const cpu = process.cpuUsage(cpuBefore);
  const tookMs = (cpu.user + cpu.system) / 1000;
  const grownBytes = process.resourceUsage().maxRSS * 1024 - peakBefore;
  assert.ok(error instanceof RingBudgetError, `expected a RingBudgetError, got ${String(error)}`);
  assert.match(error.message, fault);
  assert.match(error.message, /expected .*, got .*; .*--smpc-layers/);
  assert.ok(!error.message.includes("\n"), error.message);
  assert.ok(tookMs < MAX_REFUSAL_CPU_MS, `expected less than ${MAX_REFUSAL_CPU_MS} ms of CPU, got ${tookMs}`);
  assert.ok(grownBytes < MAX_REFUSAL_BYTES, `expected less than ${MAX_REFUSAL_BYTES} bytes more, got ${grownBytes}`);
}

const planOf = (values: readonly ValueInfo[], instructions: readonly Instruction[]): Plan => ({
  values,
  instructions,
  levels: instructions.map(() => 0),
  rounds: 0,
  sites: [],
  checks: [],
});

/** Every wire that a table is looked up by, and all that a plan asks for, is within the bounds. */
function assertBounded(plan: Plan): void {
  const size = planSize(plan);
  assert.ok(size.tableBytes <= MOST_TABLE_BYTES && size.dealtBytes <= MOST_DEALT_BYTES);
  assert.ok(size.valueBytes <= MOST_VALUE_BYTES);
  for (const instruction of plan.instructions) {
    if (instruction.gate !== "series" && instruction.gate !== "exp") continue;
    const wire = plan.values[instruction.x];
    assert.ok(wire.kind === "wire" && wire.bits <= MOST_INDEX_BITS);
  }
}

describe("ranges that no table holds", () => {
  // Mean squares as SmolLM2 has them at layers 3 and 12, with margins; the rest as nobody has them.
  const refused: readonly (readonly [string, Ranges, RegExp])[] = [
    [
      "rows that differ as much as SmolLM2's at layer 12",
      { norm: { maxAbs: 37230, minSquare: 8.13, maxSquare: 3.125e6 } },
      /^layers\.0\.norm\.0, mean squares from 8\.13 to 3125000, .*: expected a wire of at most 24 bits for a table, got \d+; begin the prompt with public tokens \(--chat, --public-prefix\), let the client evaluate layer 0 \(--placement 0=delegated\), or leave layer 0 in Cascade \(--smpc-layers\)$/,
    ],
    [
      "rows of which one is nearly 0",
      { norm: { maxAbs: 1e6, minSquare: 1e-3, maxSquare: 1e12 } },
      /^layers\.0\.norm\.0, .* at most 24 bits/,
    ],
    ["activations to 300", { activation: { maxAbs: 300 } }, /^layers\.0\.activation\.0, values to 300: .* at most 256/],
    [
      "activations to 1e6",
      { activation: { maxAbs: 1e6 } },
      /^layers\.0\.activation\.0, .* at most 24 bits for a table/,
    ],
    ["activations to 1e38", { activation: { maxAbs: 1e38 } }, /^layers\.0\.activation\.0, .* at most 24 bits/],
    [
      "logits to 1e30",
      { logits: { maxAbs: 1e30, low: -1e30, high: 1e30, spread: 1e30 } },
      /^layers\.0\.logits\.0, from -1e\+30 to 1e\+30, .*exponentials fit into 64 bits .* takes a wire of \d+ bits/,
    ],
    [
      "attention outputs to 1e30",
      { attended: { maxAbs: 1e30 } },
      /^layers\.0\.attended\.0, .* at most 64 bits, got 1\d\d/,
    ],
    ["operands to 1e12", { operand: { maxAbs: 1e12 } }, /^layers\.0\.operand\.0, .* at most 64 bits, got/],
    ["rows to 1e20", { out: { maxAbs: 1e20 } }, /^layers\.0\.out\.0, .* at most 64 bits, got/],
  ];
  for (const [name, ranges, fault] of refused)
    for (const [precisionName, precision] of [
      ["default", DEFAULT_PRECISION],
      ["fine", FINE_PRECISION],
    ] as const)
      it(`are refused before anything is made: ${name}, ${precisionName}`, () =>
        assertRefused(() => lower(ranges, precision), fault));

  it("are refused at the precision that is too fine for them, which the error says", () => {
    const logits = { maxAbs: 6000, low: -6000, high: 8, spread: 6000 };
    assertBounded(lower({ logits }, DEFAULT_PRECISION));
    assertRefused(
      () => lower({ logits }, FINE_PRECISION),
      /^layers\.0\.logits\.0, .* a wire of 25 bits; begin .*, let the client evaluate layer 0 \(.*\), run at a coarser precision \(--smpc-precision\), or leave layer 0 in Cascade \(--smpc-layers\)$/,
    );
  });

  it("have a plan where their row functions fit at fewer bits, and nothing else is coarser", () => {
    // SmolLM2's layer 3 behind public tokens: a bit too many for `fine`.
    const squares = { minSquare: 2.173, maxSquare: 2.173 * 1300 };
    const [wide, tame] = [squares, TAME.norm].map((norm) => lower({ norm: { maxAbs: 1505, ...norm } }, FINE_PRECISION));
    assertBounded(wide);
    const norms = (plan: Plan): { input: number; bits: number }[] =>
      plan.instructions.flatMap((instruction) => {
        if (instruction.gate !== "series" || !instruction.series.name.startsWith("1/sqrt")) return [];
        const wire = plan.values[instruction.x];
        // Bits below the smallest sum of squares: those of the row function.
        const input = wire.fracBits + Math.floor(Math.log2(instruction.series.from));
        return wire.kind === "wire" ? [{ input, bits: wire.bits }] : [];
      });
    const finest = { input: FINE_PRECISION.rowBits - 1, bits: MOST_INDEX_BITS };
    assert.deepEqual(norms(wide), [finest, finest]);
    assert.deepEqual(
      norms(tame).map(({ input }) => input),
      Array(2).fill(FINE_PRECISION.rowBits),
    );
    const others = (plan: Plan): number[] =>
      plan.instructions.flatMap((each) => (each.gate === "exp" ? [each.tableFracBits, each.wordFracBits] : []));
    assert.deepEqual(others(wide), others(tame));
    assert.equal(wide.rounds, tame.rounds);
  });

  it("are refused wherever they are, before the series of sites in front of them are fitted", () => {
    const ranges = { norm: { maxAbs: 15, minSquare: 0.0101, maxSquare: 0.0101 * 300 }, out: { maxAbs: 1e20 } };
    assertRefused(() => lower(ranges, DEFAULT_PRECISION), /^layers\.0\.out\.0, /);
  });

  it("are refused by all layers that have them, from the ranges alone, with what would help", () => {
    const wide = new Set(["layers.1.norm.1", "layers.3.norm.0", "layers.4.activation.0"]);
    const spec = { ...LAYER.run.spec, layers: 6, windows: Array.from({ length: 6 }, () => null) };
    const shapes = new Map(llama.parameters(spec).map(({ name, shape }) => [name, shape]));
    const statistics = new UnitStatistics((name) => shapes.get(name)!);
    const run: LayerRun = {
      ...LAYER.run,
      spec,
      statistics,
      ranges: (site) => {
        const kind = site.split(".").at(-2) as SiteKind;
        const range = { ...(TAME[kind] ?? { maxAbs: 15 }) };
        return { range: "calibrated", ...range, ...(wide.has(site) ? { maxAbs: 1e6, maxSquare: 1e12 } : {}) };
      },
      from: 0,
      to: 6,
      rows: 3,
      past: 0,
    };
    const refused = (more: Partial<LayerRun>, fault: RegExp): void =>
      assertRefused(() => {
        refuseRanges({ ...run, ...more });
        return planOf([], []);
      }, fault);
    refused(
      {},
      /^layers\.1\.norm\.1, .*; begin the prompt with .*layers 1,3-4 \(--placement 1,3-4=delegated\), or leave layers 1,3-4 in/,
    );
    // Nothing in front of an encoder's rows can be public, and what is public already is no remedy.
    refused({ spec: { ...spec, causal: false } }, /; let the client evaluate layers 1,3-4/);
    refused({ from: 4 }, /^layers\.4\.activation\.0, .*evaluate layer 4 \(/);
    wide.clear();
    refuseRanges(run);
  });

  it("of 0 have plans all the same", () => {
    const nothing: Ranges = Object.fromEntries(KINDS.map((kind) => [kind, { maxAbs: 0 }]));
    const norm = { maxAbs: 0, minSquare: 0, maxSquare: 0 };
    assertBounded(lower({ ...nothing, norm, logits: { maxAbs: 0, low: 0, high: 0, spread: 0 } }, FINE_PRECISION));
  });

  const size = fc
    .integer({ min: -110, max: 126 })
    .chain((power) => fc.double({ min: 1, max: 2, noNaN: true }).map((x) => x * 2 ** power));
  const ordered = fc.tuple(size, size).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
  const wild: Readonly<Partial<Record<SiteKind, fc.Arbitrary<Omit<SiteRange, "range">>>>> = {
    norm: fc.record({ maxAbs: size, squares: ordered }).map(({ maxAbs, squares }) => ({
      maxAbs,
      minSquare: squares[0],
      maxSquare: squares[1],
    })),
    logits: fc
      .record({ low: size, high: size, spread: size, diagonal: size })
      .map(({ low, high, spread, diagonal }) => ({
        maxAbs: Math.max(low, high),
        low: -low,
        high,
        spread,
        diagonalLow: -diagonal,
        diagonalHigh: diagonal,
      })),
  };

  it("of any kind and size give a plan within the bounds, or are refused by their names", () => {
    const cases = fc.constantFrom(...KINDS).chain((kind) =>
      fc.record({
        ranges: (wild[kind] ?? size.map((maxAbs) => ({ maxAbs }))).map((range): Ranges => ({ [kind]: range })),
        precision: fc.constantFrom(DEFAULT_PRECISION, FINE_PRECISION),
      }),
    );
    let refusals = 0;
    fc.assert(
      fc.property(cases, ({ ranges, precision }) => {
        const sites = Object.fromEntries(
          Object.entries(ranges).map(([kind, range]) => [`layers.0.${kind}.0`, { range: "calibrated", ...range }]),
        );
        assert.ok(modelRanges.safeParse({ model: "m", source: "", sites }).success, "a description may hold them");
        try {
          assertBounded(lower(ranges, precision));
        } catch (error) {
          if (!(error instanceof RingBudgetError)) throw error;
          refusals++;
          assert.match(
            error.message,
            /^layers\.0\.\w+\.\d+(\.normed)?, .*: expected .*\d.*, got .*; .* leave layer 0 in Cascade/,
          );
        }
      }),
      { numRuns: 150 },
    );
    assert.ok(refusals > 20, `expected that many are refused, got ${refusals}`);
  });
});

describe("the size of a plan", () => {
  it("is that of what is made and dealt", () => {
    const plan = LAYER.plan(3, 0);
    const { tableBytes, dealtBytes, valueBytes } = planSize(plan);
    const made = new Map<string, number>();
    const { factors } = LAYER;
    const before = factors.hash();
    factors.prepare(plan);
    assert.notEqual(factors.hash(), before);
    const counting = { matrix: () => {}, bias: () => {}, vector: () => {} };
    for (const instruction of plan.instructions)
      gateOf(instruction).tables(instruction, (id) => plan.values[id], {
        ...counting,
        table: ({ key, make }) => made.set(key, make().byteLength),
      });
    assert.equal(
      tableBytes,
      [...made.values()].reduce((a, b) => a + b, 0),
    );
    const streams = Array.from({ length: 2 }, (_, party) =>
      new StreamBook(new Uint8Array(32).fill(party)).batch("size"),
    );
    assert.equal(dealtBytes, dealAll(plan, { streams, kept: new Map() }).length);
    const bytes = plan.values.map(({ kind, rows, columns }) => rows * columns * (kind === "wire" ? 16 : 8));
    assert.ok(valueBytes >= Math.max(...bytes) && valueBytes < bytes.reduce((a, b) => a + b, 0));
  });

  it("is bounded: dealt words", () => {
    const spec = { ...LAYER.run.spec, heads: 1024 };
    assertRefused(
      () => lower({}, DEFAULT_PRECISION, { spec, rows: 512, sequenceLimit: 512 }),
      /^layers 0 to 0, 512 rows after 0: expected at most 4294967295 bytes of dealt words, got \d+; run fewer layers/,
    );
  });

  it("is bounded: rows of a session, of which a row of weights has as many", () => {
    for (const rows of [2049, 60_000, 1e9])
      assertRefused(
        () => lower({}, DEFAULT_PRECISION, { rows: 1, past: rows - 1, sequenceLimit: rows }),
        /^layers\.0\.logits\.0, .*: expected a session of at most 2048 rows, got one of up to \d+; .* leave layer 0/,
      );
  });

  it("is bounded: tables", () => {
    const wire: ValueInfo = { kind: "wire", rows: 1, columns: 1, fracBits: 4, bits: 24 };
    const share: ValueInfo = { kind: "share", rows: 1, columns: 1, fracBits: 4, ringBits: 20 };
    const series = {
      name: "",
      periodBits: 20,
      constant: 0,
      harmonics: [1],
      cos: [1],
      sin: [0],
      maxError: 0,
      from: 0,
      to: 1,
    };
    const tables = (count: number): Plan =>
      planOf(
        [wire, share],
        Array.from({ length: count }, (_, at) => ({
          gate: "series",
          x: 0,
          out: 1,
          series,
          tableFracBits: at + 1,
          wordFracBits: 1,
        })),
      );
    assert.equal(planSize(tables(16)).tableBytes, MOST_TABLE_BYTES);
    checkPlanSize(tables(16), "tables");
    assertRefused(() => {
      const plan = tables(17);
      checkPlanSize(plan, "tables");
      return plan;
    }, /^tables: expected at most 1073741824 bytes of public tables, got 1140850688/);
  });

  it("is bounded: values that are held at a time", () => {
    const share = (rows: number): ValueInfo => ({ kind: "share", rows, columns: 2 ** 20, fracBits: 0, ringBits: 20 });
    const summed = (rows: number): Plan =>
      planOf(
        [share(rows), share(rows)],
        [
          { gate: "input", out: 0, name: "x" },
          { gate: "combine", terms: [{ x: 0, factor: 1 }], out: 1 },
          { gate: "output", x: 1, name: "y", bits: 20 },
        ],
      );
    assert.equal(planSize(summed(256)).valueBytes, MOST_VALUE_BYTES);
    checkPlanSize(summed(256), "values");
    assert.throws(
      () => checkPlanSize(summed(257), "values"),
      /expected at most 4294967296 bytes of values at a time, got/,
    );
  });
});

describe("ranges in a description", () => {
  const described = (sites: unknown, more: object = {}): boolean =>
    modelRanges.safeParse({ model: "m", source: "s", sites, ...more }).success;
  const site = (range: object): unknown => ({ "layers.0.norm.0": { range: "calibrated", maxAbs: 1, ...range } });

  it("are finite, in order, and as many as a model has", () => {
    assert.ok(described(site({ low: -1, high: 2, spread: 3, minSquare: 0.1, maxSquare: 4 })));
    for (const wrong of [
      { maxAbs: Infinity },
      { maxAbs: NaN },
      { maxAbs: -1 },
      { maxAbs: 1e39 },
      { low: -1e39, high: 0 },
      { low: 0, high: 1e39 },
      { low: 2, high: 1 },
      { low: 2 },
      { spread: -1 },
      { minSquare: 2, maxSquare: 1 },
      { minSquare: -1, maxSquare: 1 },
      { minSquare: 0, maxSquare: 1e80 },
      { diagonalLow: 1, diagonalHigh: 0 },
      { columns: "0".repeat(2 ** 17 + 1) },
    ])
      assert.ok(!described(site(wrong)), JSON.stringify(wrong).slice(0, 60));
    const sites = (count: number): unknown =>
      Object.fromEntries(
        Array.from({ length: count }, (_, at) => [`layers.${at}.out.0`, { range: "calibrated", maxAbs: 1 }]),
      );
    assert.ok(described(sites(2 ** 14)));
    assert.ok(!described(sites(2 ** 14 + 1)));
    assert.ok(!described({ ["x".repeat(101)]: { range: "calibrated", maxAbs: 1 } }));
    assert.ok(!described({}, { source: "s".repeat(1001) }));
  });
});
