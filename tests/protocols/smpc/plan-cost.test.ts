import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Instruction, Plan } from "../../../protocols/smpc/plan/instruction.ts";
import type { MatrixSource } from "../../../protocols/smpc/factors/matrix-source.ts";
import type { ValueInfo } from "../../../protocols/smpc/plan/value.ts";
import { gates } from "../../../protocols/smpc/gates/registry.ts";
import { planCost } from "../../../protocols/smpc/plan/plan-cost.ts";
import { ModelFactors } from "../../../protocols/smpc/factors/public-factors.ts";
import { Simulation } from "../../../protocols/smpc/run/simulation.ts";

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

const share = (rows: number, columns: number): ValueInfo => ({
  kind: "share",
  rows,
  columns,
  fracBits: 4,
  ringBits: 40,
});
const wire = (rows: number, columns: number, bits: number): ValueInfo => ({
  kind: "wire",
  rows,
  columns,
  fracBits: 4,
  bits,
});

const values: readonly ValueInfo[] = [
  share(3, 5),
  share(3, 7),
  wire(3, 5, 19),
  wire(3, 7, 11),
  share(3, 7),
  wire(3, 7, 13),
];

/** Two openings in the first round, one in the second; 3 x 5 through a matrix of 7 outputs. */
const instructions: readonly Instruction[] = [
  { gate: "input", out: 0, name: "rows" },
  { gate: "linear", x: 0, out: 1, matrix, matrixFracBits: 8 },
  { gate: "open", x: 0, out: 2 },
  { gate: "open", x: 1, out: 3 },
  { gate: "shift", x: 1, out: 4, bits: 8 },
  { gate: "open", x: 4, out: 5 },
  { gate: "output", x: 4, name: "rows", bits: 30 },
];

const plan: Plan = { values, instructions, levels: [0, 0, 0, 0, 0, 1, 1], rounds: 2, sites: [], checks: [] };

describe("planCost", () => {
  it("adds up the declared costs by gate and in total, openings of one level as one round", () => {
    for (const parties of [2, 3, 4]) {
      const pairs = parties * (parties - 1);
      const { byGate, total } = planCost(plan, parties);
      const bits = 15 * 19 + 21 * 11 + 21 * 13;
      assert.deepEqual(byGate.open, {
        onlineBits: pairs * bits,
        dealtBits: 0,
        rounds: 2,
        multiplyAdds: parties * (15 + 21 + 21),
      });
      assert.equal(byGate.linear?.multiplyAdds, 3 * 5 * 7);
      assert.equal(byGate.exp, undefined);
      assert.deepEqual(total, {
        onlineBits: pairs * bits,
        dealtBits: 0,
        rounds: plan.rounds,
        multiplyAdds: 105 + parties * 57,
      });
    }
  });

  it("counts the bytes as they are sent: every opened value in whole bytes, one message a round and pair", () => {
    // 285, 231 and 273 bits.
    for (const parties of [2, 3, 4]) {
      const pairs = parties * (parties - 1);
      const cost = planCost(plan, parties);
      assert.deepEqual(cost.onlineBytesByRound, [pairs * (36 + 29), pairs * 35]);
      assert.equal(cost.onlineBytes, pairs * 100);
      assert.equal(cost.messages, 2 * pairs);
      assert.equal(cost.dealtBytes, 0);
    }
  });

  it("counts each dealt array in whole bytes", () => {
    const extended: Plan = {
      ...plan,
      values: [...values, share(3, 5)],
      instructions: [...instructions, { gate: "extend", x: 2, out: 6 }],
      levels: [...plan.levels, 1],
    };
    const info = (id: number): ValueInfo => extended.values[id];
    const dealt = gates.extend.dealt({ gate: "extend", x: 2, out: 6 }, info);
    const bits = dealt.map((array) => array.bits * array.count);
    assert.ok(
      bits.some((each) => each % 8 !== 0),
      "an array that ends within a byte",
    );
    const { byGate, total, dealtBytes } = planCost(extended, 3);
    assert.equal(
      byGate.extend?.dealtBits,
      bits.reduce((a, b) => a + b),
    );
    assert.equal(total.dealtBits, byGate.extend?.dealtBits);
    assert.equal(
      dealtBytes,
      bits.reduce((sum, each) => sum + Math.ceil(each / 8), 0),
    );
    assert.equal(total.rounds, 2);
  });

  it("is what a run sends and deals", async () => {
    const dealing: Plan = {
      ...plan,
      values: [...values, share(3, 5)],
      instructions: [
        ...instructions,
        { gate: "extend", x: 2, out: 6 },
        { gate: "output", x: 6, name: "extended", bits: 40 },
      ],
      levels: [...plan.levels, 1, 1],
    };
    const data = Float32Array.from({ length: 35 }, (_, i) => (i % 9) / 8 - 0.5);
    for (const parties of [2, 3, 4]) {
      const simulation = new Simulation(parties, new ModelFactors(() => ({ data, shape: [5, 7] })));
      const rows = Float64Array.from({ length: 15 }, (_, i) => (i - 7) / 16);
      const { outputs, counts } = await simulation.run(dealing, { rows });
      const { onlineBytes, dealtBytes, total } = planCost(dealing, parties);
      assert.deepEqual(counts, { onlineBytes, dealtBytes, rounds: total.rounds });
      assert.deepEqual(outputs.extended, rows);
    }
  });

  it("refuses fewer than two parties", () => {
    assert.throws(() => planCost(plan, 1), /parties: expected at least 2, got 1/);
    assert.throws(() => planCost(plan, 2.5), /parties: expected at least 2, got 2\.5/);
  });
});
