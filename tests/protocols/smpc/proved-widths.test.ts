import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DEFAULT_PRECISION, FINE_PRECISION } from "../../../protocols/smpc/lowering/precision.ts";
import { gateOf } from "../../../protocols/smpc/plan/gate-of.ts";
import { heldToProofs } from "../../../protocols/smpc/plan/held-to-proofs.ts";
import type { ValueInfo } from "../../../protocols/smpc/plan/value.ts";
import type { Instruction, Plan } from "../../../protocols/smpc/plan/instruction.ts";
import { PROVED_WIDTHS } from "../../../protocols/smpc/plan/proved-widths.ts";
import { tinyLayer } from "./tiny-plan.ts";

const share = (ringBits: number): ValueInfo => ({ kind: "share", rows: 1, columns: 1, fracBits: 4, ringBits });
const wire = (bits: number): ValueInfo => ({ kind: "wire", rows: 1, columns: 1, fracBits: 4, bits });
const planOf = (instruction: Instruction, ...values: ValueInfo[]): Plan => ({
  values,
  instructions: [instruction],
  levels: [0],
  rounds: 0,
  sites: [],
  checks: [],
});

describe("plans are held to what is proved", () => {
  it("lets pass a plan whose widths are proved, up to the last one that is", () => {
    const plan = planOf({ gate: "extend", x: 0, out: 1 }, wire(2), share(64));
    assert.equal(heldToProofs(plan), plan);
    for (const precision of [DEFAULT_PRECISION, FINE_PRECISION])
      for (const [rows, past] of [
        [5, 0],
        [1, 5],
      ])
        assert.ok(tinyLayer("llama", "held").plan(rows, past, precision).instructions.length > 20);
  });

  const refused: readonly (readonly [RegExp, Instruction, ...ValueInfo[]])[] = [
    [
      /^extend: expected bits from 2 to 64, as far as its lemmas reach, got 1; /,
      { gate: "extend", x: 0, out: 1 },
      wire(1),
      share(20),
    ],
    [/^extend: expected ringBits from 1 to 64, .* got 65; /, { gate: "extend", x: 0, out: 1 }, wire(9), share(65)],
    [
      /^shift: expected spareBits from 0 to 63, .* got -1; /,
      { gate: "shift", x: 0, out: 1, bits: 10 },
      share(30),
      share(21),
    ],
    [/^open: expected spareBits .* got -3; /, { gate: "open", x: 0, out: 1 }, share(9), wire(12)],
    [
      /^squares: expected belowBits from 0 to 62, .* got -1; /,
      { gate: "squares", x: 0, out: 1, width: 1, nonNegative: true },
      wire(4),
      share(20),
    ],
    [
      /^combine: expected spareBits .* got -1; /,
      {
        gate: "combine",
        terms: [
          { x: 0, factor: 12 },
          { x: 0, factor: 4 },
        ],
        out: 1,
      },
      share(20),
      share(23),
    ],
  ];
  for (const [message, instruction, ...values] of refused)
    it(`refuses ${message.source.slice(1, 40)}`, () => {
      assert.throws(() => heldToProofs(planOf(instruction, ...values)), { name: "RangeError", message });
    });

  it("holds every plan against it that is lowered", () => {
    const precision = { ...DEFAULT_PRECISION, normBits: -40 };
    assert.throws(() => tinyLayer("llama", "held").plan(3, 0, precision), {
      name: "RangeError",
      message: /^row-scale: expected bBits from 2 to 64, as far as its lemmas reach, got 1; take a coarser precision/,
    });
  });

  it("asks of a gate the widths that it says", () => {
    const { instructions, values } = tinyLayer("llama", "held").plan(3, 0);
    for (const instruction of instructions) {
      const widths = gateOf(instruction).widths(instruction, (id) => values[id]);
      assert.deepEqual(Object.keys(widths).sort(), Object.keys(PROVED_WIDTHS[instruction.gate]).sort());
    }
  });
});
