/**
 * Rotate: rotary position embedding of shared rows.
 *
 * Functionality: every head [headDim] of a row as headDim / 2 pairs (i, i + headDim / 2), pair i turned by the row's position times
 *   inverseFrequencies[i] and multiplied by `factor`, with the integer table of rotary-table.ts, mod 2^K.
 * Parties: every party on its own share.
 * Leaks: nothing (local; positions are public).
 * Assumes: ringBits of x >= ringBits of out; fracBits of out = fracBits of x + tableFracBits.
 * Cost: `rotate.cost`; no communication, nothing dealt.
 * Error bound: 0 units against the clear reading; the table itself is within half a unit of the real rotation.
 * Reference: RoFormer, arXiv 2104.09864 (rotate-half form, layers/reference/algebra.ts). Proof: proofs/lemmas/linear.ts.
 * Test: tests/protocols/smpc/rotate.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import type { Gate, PublicFactors } from "../plan/gate.ts";
import type { ValueId, InfoOf } from "../plan/value.ts";
import { rotaryTable, type RotarySetting } from "../factors/rotary-table.ts";

/** Rotary embedding of every head by the row's position, times `factor`; out has tableFracBits more. */
export interface RotateInstruction extends RotarySetting {
  readonly gate: "rotate";
  readonly x: ValueId;
  readonly out: ValueId;
}

/** Rotary embedding by a public table. */
export const rotate: Gate<RotateInstruction> = {
  name: "rotate",
  does: "rotary position embedding by a public table",
  operands: { x: (need) => need },
  cost: { onlineBits: "0", dealtBits: "0", rounds: "0", multiplyAdds: "2 * count" },
  quantities: ({ out }, info) => ({ count: info(out).rows * info(out).columns }),
  tables: (instruction, info, tables) => tables.table(rotaryTable(instruction, info(instruction.x).rows)),
  dealt: () => [],
  party: (instruction, walk) => walk.setShare(instruction.out, turned(instruction, walk.share(instruction.x), walk)),
  dealer() {},
  clear: (instruction, walk) => walk.setClear(instruction.out, turned(instruction, walk.clear(instruction.x), walk)),
  widths({ x, out }, info) {
    const ringBits = widthOf(info(out));
    return { ringBits, spareBits: widthOf(info(x)) - ringBits };
  },
  errorUnits: () => 0,
};

/** x [rows, heads * headDim] -> the same shape */
function turned(instruction: RotateInstruction, x: Words, walk: { info: InfoOf; factors: PublicFactors }): Words {
  const { headDim } = instruction;
  const { rows, columns } = walk.info(instruction.x);
  const half = headDim / 2;
  const table = walk.factors.table(rotaryTable(instruction, rows));
  const [cos, sin] = [table.subarray(0, rows * headDim), table.subarray(rows * headDim)]; // [rows, headDim]
  const out = new BigUint64Array(x.length);
  const others = new BigUint64Array(columns); // the other member of every pair
  for (let row = 0; row < rows; row++) {
    const from = x.subarray(row * columns, (row + 1) * columns); // [heads, headDim]
    for (let head = 0; head < columns; head += headDim) {
      others.set(from.subarray(head + half, head + headDim), head);
      others.set(from.subarray(head, head + half), head + half);
    }
    const to = out.subarray(row * columns, (row + 1) * columns);
    ring.multiplyColumns(to, from, cos.subarray(row * headDim, (row + 1) * headDim));
    ring.multiplyColumns(others, others, sin.subarray(row * headDim, (row + 1) * headDim));
    ring.add(to, to, others);
  }
  return out;
}
