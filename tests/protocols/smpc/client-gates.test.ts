/** Gates of a client that evaluates: what it shares out, and what it reads back. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ModelClientFactors } from "../../../protocols/smpc/factors/client-factors.ts";
import type { MatrixSource } from "../../../protocols/smpc/factors/matrix-source.ts";
import { ModelFactors } from "../../../protocols/smpc/factors/public-factors.ts";
import { give } from "../../../protocols/smpc/gates/give.ts";
import type { InstructionOf, Plan } from "../../../protocols/smpc/plan/instruction.ts";
import { PlanBuilder } from "../../../protocols/smpc/plan/plan-builder.ts";
import { planCost } from "../../../protocols/smpc/plan/plan-cost.ts";
import type { ClientValues } from "../../../protocols/smpc/run/client-values.ts";
import { Simulation } from "../../../protocols/smpc/run/simulation.ts";
import { maxError } from "../../layers/golden-models.ts";
import { seededNumbers as numbers } from "./seeded-numbers.ts";

type Parameters = Readonly<Record<string, { readonly data: Float32Array; readonly shape: number[] }>>;

const parties = fc.constantFrom(2, 3, 4);

function clientOf(parameters: Parameters, x: Float64Array): ClientValues {
  return { model: new ModelClientFactors((name) => parameters[name]), inputs: { x }, kept: new Map() };
}

/** Runs a plan of a client's numbers x between so many parties. */
const simulate = (plan: Plan, count: number, x: Float64Array, parameters: Parameters = {}) =>
  new Simulation(count, new ModelFactors((name) => parameters[name])).run(plan, {}, clientOf(parameters, x));

/** x taken; the shares leave in a ring of `ringBits`. */
function takingPlan(rows: number, columns: number, fracBits: number, ringBits: number, normalised: boolean): Plan {
  const builder = new PlanBuilder();
  const x = builder.client(rows, columns);
  builder.emit({ gate: "client-input", out: x, name: "x" });
  const taken = builder.share(rows, columns, fracBits);
  builder.emit({ gate: "take", x, out: taken, normalised });
  builder.emit({ gate: "output", x: taken, name: "y", bits: ringBits });
  return builder.finish();
}

describe("take", () => {
  it("shares the client's numbers out, half a unit off at most, in any ring that holds them", async () => {
    const scene = fc.record({
      count: parties,
      rows: fc.integer({ min: 1, max: 4 }),
      columns: fc.integer({ min: 1, max: 5 }),
      fracBits: fc.integer({ min: 0, max: 40 }),
      wholeBits: fc.integer({ min: 2, max: 20 }),
      seed: fc.string(),
    });
    await fc.assert(
      fc.asyncProperty(scene, async ({ count, rows, columns, fracBits, wholeBits, seed }) => {
        const most = 2 ** (wholeBits - 1) - 1;
        const x = numbers(seed, rows * columns).map((each, i) => (i === 0 ? most : each * most));
        const ringBits = fracBits + wholeBits;
        const { outputs, clientCounts } = await simulate(
          takingPlan(rows, columns, fracBits, ringBits, false),
          count,
          x,
        );
        const error = maxError(outputs.y, x);
        assert.ok(error <= 2 ** (-fracBits - 1), `expected within half a unit, got ${error * 2 ** fracBits} units`);
        assert.equal(clientCounts.takenBytes, Math.ceil((rows * columns * ringBits) / 8));
      }),
    );
  });

  it("divides rows by their 2-norms, whatever their size, and leaves rows of zeros as they are", async () => {
    const scene = fc.record({
      count: parties,
      rows: fc.integer({ min: 1, max: 4 }),
      columns: fc.integer({ min: 1, max: 9 }),
      exponents: fc.array(fc.integer({ min: -60, max: 60 }), { minLength: 4, maxLength: 4 }),
      zeroRow: fc.option(fc.integer({ min: 0, max: 3 })),
      seed: fc.string(),
    });
    const fracBits = 18;
    await fc.assert(
      fc.asyncProperty(scene, async ({ count, rows, columns, exponents, zeroRow, seed }) => {
        const rowOf = (i: number): number => Math.floor(i / columns);
        const x = numbers(seed, rows * columns).map((each, i) =>
          rowOf(i) === zeroRow ? 0 : each * 2 ** exponents[rowOf(i)],
        );
        const norms = Array.from({ length: rows }, (_, row) =>
          Math.hypot(...x.subarray(row * columns, (row + 1) * columns)),
        );
        // A unit has to fit beside the sign.
        const { outputs } = await simulate(takingPlan(rows, columns, fracBits, fracBits + 2, true), count, x);
        outputs.y.forEach((found, i) => {
          const norm = norms[rowOf(i)];
          const error = Math.abs(found - (norm === 0 ? 0 : x[i] / norm));
          assert.ok(error <= 2 ** (-fracBits - 1) * 1.001, `number ${i}: half a unit, got ${error * 2 ** fracBits}`);
        });
      }),
    );
  });

  it("sends the first party other words each time, and never the numbers", async () => {
    const x = numbers("same", 64);
    const plan = takingPlan(8, 8, 20, 40, false);
    const simulation = new Simulation(3, new ModelFactors(() => assert.fail("no parameters")));
    for (let step = 0; step < 2; step++) await simulation.run(plan, {}, clientOf({}, x));
    const [[first], [second]] = simulation.taken;
    assert.equal(first.length, second.length);
    const same = first.reduce((sum, byte, at) => sum + (byte === second[at] ? 1 : 0), 0);
    // Of 320 bytes, 1.25 agree by chance.
    assert.ok(same < 20, `expected other words, got ${same} of ${first.length} bytes the same`);
  });
});

/** A share that the client gave, read by it mod `bits`; the shares leave in a ring of `ringBits` besides (null: they don't). */
function givingPlan(
  length: number,
  fracBits: number,
  ringBits: number | null,
  cut: Pick<InstructionOf<"give">, "bits" | "droppedBits" | "othersDroppedBits">,
): Plan {
  const builder = new PlanBuilder();
  const x = builder.client(length, 1);
  builder.emit({ gate: "client-input", out: x, name: "x" });
  const taken = builder.share(length, 1, fracBits);
  builder.emit({ gate: "take", x, out: taken, normalised: false });
  const out = builder.client(length, 1);
  builder.emit({ gate: "give", x: taken, out, ...cut, rowsOf: [], columnsOf: null });
  builder.emit({ gate: "client-output", x: out, name: "own" });
  if (ringBits !== null) builder.emit({ gate: "output", x: taken, name: "y", bits: ringBits });
  return builder.finish();
}

const unitsOf = (plan: Plan, count: number): number =>
  give.errorUnits(
    plan.instructions.find((each): each is InstructionOf<"give"> => each.gate === "give")!,
    { parties: count, info: (id) => plan.values[id] },
  );

describe("give", () => {
  const scene = fc
    .record({
      count: parties,
      length: fc.integer({ min: 1, max: 20 }),
      bits: fc.integer({ min: 4, max: 52 }),
      spareBits: fc.integer({ min: 0, max: 12 }),
      fracBits: fc.integer({ min: 0, max: 16 }),
      seed: fc.string(),
    })
    .chain((drawn) =>
      fc
        .tuple(fc.integer({ min: 0, max: drawn.bits - 4 }), fc.integer({ min: 0, max: drawn.bits - 4 }))
        .map(([droppedBits, othersDroppedBits]) => ({ ...drawn, droppedBits, othersDroppedBits })),
    );

  it("says the number within the declared units, to the ends of its range, from the top bits alone", async () => {
    await fc.assert(
      fc.asyncProperty(scene, async (drawn) => {
        const { count, length, bits, spareBits, fracBits, droppedBits, othersDroppedBits, seed } = drawn;
        const plan = givingPlan(length, fracBits, bits + spareBits, { bits, droppedBits, othersDroppedBits });
        const units = unitsOf(plan, count);
        const most = 2 ** (bits - 1) - 1 - Math.ceil(units);
        const ends = [most, -most, 0];
        const integers = numbers(seed, length).map((each, i) => ends[i] ?? Math.round(each * most));
        const x = integers.map((each) => each * 2 ** -fracBits);
        const { outputs, clientCounts } = await simulate(plan, count, x);
        const error = maxError(outputs.own, x) * 2 ** fracBits;
        assert.ok(error <= units, `expected within ${units} units, got ${error}`);
        assert.deepEqual(
          clientCounts.givenBytes,
          Array.from({ length: count }, (_, party) =>
            Math.ceil((length * (bits - (party === 0 ? droppedBits : othersDroppedBits))) / 8),
          ),
        );
      }),
    );
  });

  it("costs what is declared: the first party's bits and the others' apart", async () => {
    for (const isAhead of [true, false]) {
      // Shares that leave bind a party to the step that it is in.
      const plan = givingPlan(11, 4, isAhead ? null : 30, { bits: 20, droppedBits: 7, othersDroppedBits: 5 });
      const { clientCounts } = await simulate(plan, 4, numbers("cost", 11));
      const [first, ...others] = clientCounts.givenBytes;
      const rest = others.reduce((sum, bytes) => sum + bytes, 0);
      assert.deepEqual(planCost(plan, 4).client, {
        takenBytes: clientCounts.takenBytes,
        takenMessages: 1,
        givenBytes: first + (isAhead ? 0 : rest),
        givenMessages: isAhead ? 1 : 4,
        aheadBytes: isAhead ? rest : 0,
        aheadMessages: isAhead ? 3 : 0,
        rounds: 2,
        isAhead,
      });
    }
  });

  it("is off by no more than a few units of the dropped bits on average, to both sides", async () => {
    const plan = givingPlan(4_000, 0, 24, { bits: 24, droppedBits: 12, othersDroppedBits: 12 });
    const x = numbers("mean", 4_000).map((each) => Math.round(each * 2 ** 20));
    const { outputs } = await simulate(plan, 3, x);
    const mean = outputs.own.reduce((sum, each, i) => sum + each - x[i], 0) / x.length;
    // Three uniform words of 2^12: a deviation of 2^11, and of 32 for the mean of 4,000.
    assert.ok(Math.abs(mean) < 200, `expected no bias, got ${mean}`);
  });
});

describe("a product at the parties, of rows and columns of any size", () => {
  const source: MatrixSource = {
    weight: "w",
    transposed: false,
    rowGain: null,
    factor: 1,
    bias: null,
    biasFactor: 1,
    rowBias: null,
    centred: false,
    columnShifts: null,
    isNormalised: true,
  };
  const [rowBits, matrixBits, droppedBits, othersDroppedBits] = [20, 16, 12, 14];

  it("is the product, off by a part of the norms that no range enters", async () => {
    const scene = fc.record({
      count: parties,
      rows: fc.integer({ min: 1, max: 3 }),
      inputs: fc.integer({ min: 1, max: 12 }),
      outputs: fc.integer({ min: 1, max: 9 }),
      exponents: fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 9, maxLength: 9 }),
      zeroColumn: fc.option(fc.integer({ min: 0, max: 8 })),
      zeroRow: fc.option(fc.integer({ min: 0, max: 2 })),
      seed: fc.string(),
    });
    await fc.assert(
      fc.asyncProperty(scene, async ({ count, rows, inputs, outputs, exponents, zeroColumn, zeroRow, seed }) => {
        const data = Float32Array.from(numbers(`${seed} w`, inputs * outputs), (each, i) =>
          i % outputs === zeroColumn ? 0 : each * 2 ** exponents[i % outputs],
        );
        const x = numbers(seed, rows * inputs).map((each, i) => {
          const row = Math.floor(i / inputs);
          return row === zeroRow ? 0 : each * 2 ** exponents[row];
        });
        const builder = new PlanBuilder();
        const own = builder.client(rows, inputs);
        builder.emit({ gate: "client-input", out: own, name: "x" });
        const taken = builder.share(rows, inputs, rowBits);
        builder.emit({ gate: "take", x: own, out: taken, normalised: true });
        const product = builder.share(rows, outputs, rowBits + matrixBits);
        builder.emit({ gate: "linear", x: taken, matrix: source, matrixFracBits: matrixBits, out: product });
        const given = builder.client(rows, outputs);
        builder.emit({
          gate: "give",
          x: product,
          out: given,
          bits: rowBits + matrixBits + 2,
          droppedBits,
          othersDroppedBits,
          rowsOf: [{ x: own }],
          columnsOf: source,
        });
        builder.emit({ gate: "client-output", x: given, name: "y" });
        const plan = builder.finish();
        const w = { data, shape: [inputs, outputs] };
        const { outputs: found } = await simulate(plan, count, x, { w });
        const units = unitsOf(plan, count) * 2 ** -(rowBits + matrixBits);
        // Half a unit of each factor meets the other, whose row or column is no longer than 1.
        const rounding = Math.sqrt(inputs) * (2 ** -(rowBits + 1) + 2 ** -(matrixBits + 1)) * 1.01;
        for (let row = 0; row < rows; row++)
          for (let column = 0; column < outputs; column++) {
            const [mine, theirs] = [
              x.subarray(row * inputs, (row + 1) * inputs),
              Float64Array.from({ length: inputs }, (_, i) => data[i * outputs + column]),
            ];
            const exact = mine.reduce((sum, each, i) => sum + each * theirs[i], 0);
            const bound = (units + rounding) * Math.hypot(...mine) * Math.hypot(...theirs);
            const error = Math.abs(found.y[row * outputs + column] - exact);
            // A row or column of zeros was divided by 1: of its zeros there is left what was dropped.
            const scale = (Math.hypot(...mine) || 1) * (Math.hypot(...theirs) || 1);
            const most = Math.max(bound, units * scale) * (1 + 1e-9);
            assert.ok(error <= most, `row ${row}, column ${column}: expected within ${most}, got ${error}`);
          }
      }),
    );
  });
});

describe("a client's rows", () => {
  it("are refused where there are fewer than the plan has", async () => {
    const plan = takingPlan(2, 3, 10, 20, false);
    await assert.rejects(simulate(plan, 2, new Float64Array(5)), /^Error: input x: expected 6 numbers, got 5$/);
  });

  it("leave as they are where the plan gives them back", async () => {
    const builder = new PlanBuilder();
    const x = builder.client(1, 3);
    builder.emit({ gate: "client-input", out: x, name: "x" });
    builder.emit({ gate: "client-output", x, name: "own" });
    const { outputs, clientCounts } = await simulate(builder.finish(), 2, Float64Array.of(1, -2, 0.1));
    assert.deepEqual(outputs.own, Float64Array.of(1, -2, 0.1));
    assert.deepEqual(clientCounts, { takenBytes: 0, givenBytes: [0, 0] });
  });
});
