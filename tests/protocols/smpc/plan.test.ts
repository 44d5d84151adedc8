import { widthOf } from "../../../protocols/smpc/plan/width-of.ts";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { dealAll } from "../../../protocols/smpc/run/dealer-run.ts";
import { dealtLayout } from "../../../protocols/smpc/plan/dealt-layout.ts";
import type { MatrixSource } from "../../../protocols/smpc/factors/matrix-source.ts";
import { RingBudgetError } from "../../../protocols/smpc/plan/ring-budget-error.ts";
import { runParty } from "../../../protocols/smpc/run/party-run.ts";
import { PlanBuilder } from "../../../protocols/smpc/plan/plan-builder.ts";
import { planCost } from "../../../protocols/smpc/plan/plan-cost.ts";
import { Simulation } from "../../../protocols/smpc/run/simulation.ts";
import { StreamBook, type BatchStreams } from "../../../shares/stream-book.ts";
import { pairStreams } from "./pair-streams.ts";
import { tinyLayer, TINY_LIMIT } from "./tiny-plan.ts";

const MATRIX: MatrixSource = {
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

describe("a plan's rings and rounds", () => {
  it("gives every share the low bits that its consumers need, and drops what nothing needs", () => {
    const builder = new PlanBuilder();
    const x = builder.share(2, 4, 10);
    builder.emit({ gate: "input", out: x, name: "x" });
    const y = builder.share(2, 4, 22);
    builder.emit({ gate: "linear", x, out: y, matrix: MATRIX, matrixFracBits: 12 });
    const unused = builder.share(2, 4, 22);
    builder.emit({ gate: "linear", x, out: unused, matrix: MATRIX, matrixFracBits: 12 });
    const shifted = builder.share(2, 4, 8);
    builder.emit({ gate: "shift", x: y, out: shifted, bits: 14 });
    const wire = builder.wire(2, 4, 8, 16);
    builder.emit({ gate: "open", x: shifted, out: wire });
    const wide = builder.share(2, 4, 8);
    builder.emit({ gate: "extend", x: wire, out: wide });
    const sum = builder.share(2, 4, 12);
    builder.emit({
      gate: "combine",
      terms: [
        { x: wide, factor: 16 },
        { x: y, factor: 1 },
      ],
      out: sum,
    });
    builder.emit({ gate: "output", x: sum, name: "y", bits: 40 });
    const plan = builder.finish();
    assert.deepEqual(
      plan.instructions.map(({ gate }) => gate),
      ["input", "linear", "shift", "open", "extend", "combine", "output"],
    );
    const rings = plan.values.map(widthOf);
    // x and y: the sum's 40 bits; the shifted value: what is opened; extended: 40 less the factor's 4.
    assert.deepEqual(rings, [40, 40, 16, 16, 36, 40]);
    assert.deepEqual(plan.levels, [0, 0, 0, 0, 1, 1, 1]);
    assert.equal(plan.rounds, 1);
  });

  it("refuses a ring of more than 64 bits, naming the gate", () => {
    const builder = new PlanBuilder();
    const x = builder.share(1, 1, 30);
    builder.emit({ gate: "input", out: x, name: "x" });
    const y = builder.share(1, 1, 10);
    builder.emit({ gate: "shift", x, out: y, bits: 20 });
    builder.emit({ gate: "output", x: y, name: "y", bits: 50 });
    assert.throws(() => builder.finish(), RingBudgetError);
  });

  it("gives a wide wire what its reader needs, up to its limit", () => {
    for (const [limit, expected] of [
      [60, 40],
      [30, 30],
    ]) {
      const builder = new PlanBuilder();
      const rows = builder.share(2, 1, 10);
      builder.emit({ gate: "input", out: rows, name: "rows" });
      const x = builder.share(2, 3, 5);
      builder.emit({ gate: "input", out: x, name: "x" });
      const narrow = builder.wire(2, 3, 5, 12);
      builder.emit({ gate: "open", x, out: narrow });
      const wide = builder.wideWire(2, 1, 10, limit);
      builder.emit({ gate: "open", x: rows, out: wide });
      const out = builder.share(2, 3, 15);
      builder.emit({ gate: "row-scale", x: narrow, scale: wide, out, width: 3 });
      builder.emit({ gate: "output", x: out, name: "y", bits: 40 });
      const { values } = builder.finish();
      assert.equal(values.filter((info) => info.kind === "wire")[1].bits, expected);
    }
  });
});

describe("a tiny layer's plan", () => {
  for (const kind of ["llama", "gpt2"] as const)
    it(`${kind}: party, dealer and cost walk the same way, for prompts and steps, n = 2, 3, 4`, async () => {
      const layer = tinyLayer(kind, "plan test");
      for (const parties of [2, 3, 4]) {
        const simulation = new Simulation(parties, layer.factors);
        for (const [rows, past] of [
          [5, 0],
          [1, 5],
          [2, 6],
        ]) {
          const plan = layer.plan(rows, past);
          const { outputs, counts } = await simulation.run(plan, { x: layer.rows(rows, `${past}`) });
          assert.equal(outputs.rows.length, rows * layer.spec.width);
          const { onlineBytes, dealtBytes } = planCost(plan, parties);
          assert.deepEqual(counts, { onlineBytes, dealtBytes, rounds: plan.rounds });
        }
      }
      assert.equal(TINY_LIMIT, 8);
    });

  it("is the same whenever it is made, and has no ring above 64 bits", () => {
    const layer = tinyLayer("llama", "plan test");
    const plan = layer.plan(4, 0);
    assert.equal(JSON.stringify(plan), JSON.stringify(layer.plan(4, 0)));
    for (const info of plan.values) if (info.kind === "share") assert.ok(info.ringBits <= 64);
  });

  it("draws fresh masks: two runs on one input open different words", async () => {
    const layer = tinyLayer("gpt2", "plan test");
    const plan = layer.plan(3, 0);
    const x = layer.rows(3, "rows");
    const opened: Uint8Array[][][] = [];
    for (let run = 0; run < 2; run++) {
      const simulation = new Simulation(2, layer.factors);
      await simulation.run(plan, { x });
      opened.push(simulation.opened);
    }
    opened[0].forEach((payloads, round) =>
      payloads.forEach((payload, party) => assert.notDeepEqual(payload, opened[1][round][party])),
    );
  });

  it("refuses a batch of another size and an input that is missing, by name", async () => {
    const layer = tinyLayer("gpt2", "plan test");
    const plan = layer.plan(3, 0);
    const seeds = [randomBytes(32), randomBytes(32)];
    const streamsOf = (seed: Uint8Array): BatchStreams => new StreamBook(seed).batch("b");
    const explicit = dealAll(plan, { streams: seeds.map(streamsOf), kept: new Map() });
    assert.equal(explicit.length, dealtLayout(plan).totalBytes);
    const setting = {
      party: 1,
      parties: 2,
      factors: layer.factors,
      kept: new Map(),
      exchange: (): Promise<never> => Promise.reject(new Error("nothing to exchange")),
    };
    const short = {
      batch: "b",
      streams: streamsOf(seeds[1]),
      explicit: explicit.subarray(1),
      pairs: pairStreams(2, "b")[1],
    };
    await assert.rejects(runParty(plan, setting, short, {}), /batch b: expected \d+ dealt bytes, got \d+/);
    await assert.rejects(runParty(plan, setting, { ...short, explicit }, {}), /input x: expected 48 words, got none/);
    await assert.rejects(
      runParty(plan, setting, { ...short, explicit, pairs: new Map() }, {}),
      /batch b: expected streams shared with 1 peers, got 0/,
    );
  });
});
