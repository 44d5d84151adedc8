import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Gate } from "../../../protocols/smpc/plan/gate.ts";
import { diagonal, type DiagonalInstruction } from "../../../protocols/smpc/gates/diagonal.ts";
import { extend, type ExtendInstruction } from "../../../protocols/smpc/gates/extend.ts";
import { runGate } from "./gate-bench.ts";
import { shareInfo, wireInfo } from "./gate-values.ts";

const x = Array.from({ length: 32 }, (_, i) => BigInt(i) - 16n);
const setting = { parties: 3, seed: "bench" };

const runExtend = (change: Partial<Gate<ExtendInstruction>>) => {
  const values = [wireInfo(4, 8, 10), shareInfo(4, 8, 30)];
  return runGate({ ...extend, ...change }, { gate: "extend", x: 0, out: 1 }, values, { 0: x }, setting);
};

describe("the bench of gate tests", () => {
  it("passes a gate that keeps the rules, and counts what is dealt", async () => {
    const { out, clear, dealtBits, shares } = await runExtend({});
    assert.deepEqual([out, clear, dealtBits, shares.length], [x, x, 2 * 32 * 20, 3]);
  });

  it("catches a result that is off by more than the gate declares", async () => {
    const clear: Gate<ExtendInstruction>["clear"] = (instruction, walk) =>
      walk.setClear(
        instruction.out,
        BigUint64Array.from(walk.clear(instruction.x), (word) => BigInt.asUintN(64, word + 1n)),
      );
    await assert.rejects(runExtend({ clear }), /error: expected at most 0 units, got 1/);
    assert.equal((await runExtend({ clear, errorUnits: () => 1 })).largestErrorUnits, 1n);
  });

  it("catches a dealer that deals less or more than it declares", async () => {
    await assert.rejects(runExtend({ dealer() {} }), /dealt carry: words dealt/);
    const dealer: Gate<ExtendInstruction>["dealer"] = (_, walk) => walk.deal("carry", new BigUint64Array(33));
    await assert.rejects(runExtend({ dealer }), /dealt carry: at most 32 words/);
  });

  it("catches a party that reads less than is dealt, or asks twice", async () => {
    const party: Gate<ExtendInstruction>["party"] = (instruction, walk) =>
      walk.setShare(instruction.out, new BigUint64Array(32));
    await assert.rejects(runExtend({ party }), /dealt carry: words read by party 0/);
    const twice: Gate<ExtendInstruction>["party"] = (instruction, walk) => {
      walk.dealt("top");
      return extend.party(instruction, walk);
    };
    await assert.rejects(runExtend({ party: twice }), /dealt top: asked for once by party 0/);
  });

  it("catches a cost that isn't what is dealt", async () => {
    const cost = { ...extend.cost, dealtBits: "count * extraBits" };
    await assert.rejects(runExtend({ cost }), /cost\.dealtBits/);
  });

  it("catches operands and tables that are not declared, and tables of another size", async () => {
    const operands = {} as typeof extend.operands;
    await assert.rejects(runExtend({ operands }), /extend: looks at value 0, which is no operand/);
    const table = { key: "made up", bytes: 8, make: () => new BigUint64Array(1) };
    const party: Gate<ExtendInstruction>["party"] = (instruction, walk) => {
      walk.factors.table(table);
      return extend.party(instruction, walk);
    };
    await assert.rejects(runExtend({ party }), /extend: asks for made up, which its tables don't declare/);
    await runExtend({ party, tables: (_instruction, _info, tables) => tables.table(table) });
    const short = { ...table, bytes: 4 };
    const wrong: Gate<ExtendInstruction>["party"] = (_, walk) => void walk.factors.table(short);
    await assert.rejects(
      runExtend({ party: wrong, tables: (_instruction, _info, tables) => tables.table(short) }),
      /extend: bytes of table made up/,
    );
  });

  it("catches a gate that changes its operands", async () => {
    const party: Gate<ExtendInstruction>["party"] = async (instruction, walk) => {
      await extend.party(instruction, walk);
      walk.wire(instruction.x).mask[0] ^= 1n;
    };
    await assert.rejects(runExtend({ party }), /operands are left as they were/);
    const clear: Gate<ExtendInstruction>["clear"] = async (instruction, walk) => {
      await extend.clear(instruction, walk);
      walk.clear(instruction.x)[3] += 1n;
    };
    await assert.rejects(runExtend({ clear }), /operands are left as they were/);
  });

  it("catches wires on which parties and dealer disagree", async () => {
    const layout = { heads: 1, kvHeads: 1, headDim: 1, queries: 4, past: 0, causal: true, window: 1 };
    const run = (change: Partial<Gate<DiagonalInstruction>>) =>
      runGate(
        { ...diagonal, ...change },
        { gate: "diagonal", x: 0, out: 1, layout },
        [wireInfo(4, 1, 10), wireInfo(4, 1, 10)],
        { 0: x.slice(0, 4) },
        setting,
      );
    assert.deepEqual((await run({})).out, x.slice(0, 4));
    const dealer: Gate<DiagonalInstruction>["dealer"] = ({ out }, walk) => walk.setMask(out, new BigUint64Array(4));
    await assert.rejects(run({ dealer }), /the parties' masks add up to the dealer's/);
    const party: Gate<DiagonalInstruction>["party"] = ({ x: id, out }, walk) => {
      const { masked, mask } = walk.wire(id);
      const wide = mask.map((word) => word + 1024n) as typeof mask;
      walk.setWire(out, { masked, mask: wide });
    };
    await assert.rejects(run({ party }), /shares of the mask are canonical/);
  });
});
