/**
 * Pivot: every row minus row 0 of the sequence, so that attention logits are relative to a key that every query sees.
 *
 * Functionality: out = x - row 0 mod 2^K. The step that has row 0 (firstPosition = 0) keeps its share of it under `key`; later steps
 *   take it from there. Behind a public prefix the row is one of integers, which party 0 subtracts.
 * Parties: every party on its own share.
 * Leaks: nothing (local).
 * Assumes: ringBits of x >= ringBits of out, in this step and in the one that kept the row; row 0 is seen by every query.
 * Cost: `pivot.cost`; no communication, nothing dealt. Error bound: 0 units.
 * Reference: softmax(x) = softmax(x - c); smpc.md, "Softmax without a maximum". Proof: proofs/lemmas/linear.ts.
 * Test: tests/protocols/smpc/share-gates.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import { ring } from "../../../shares/ring.ts";
import type { ShareWords, Words } from "../../../shares/words.ts";
import type { PublicRows } from "../plan/attention-layout.ts";
import type { Gate, PublicFactors } from "../plan/gate.ts";
import type { InfoOf, ValueId } from "../plan/value.ts";

/** out = x - row 0 of the sequence; the row is kept under `key` by the step that has it (firstPosition = 0). */
export interface PivotInstruction {
  readonly gate: "pivot";
  readonly x: ValueId;
  readonly out: ValueId;
  readonly key: string;
  readonly firstPosition: number;
  /** Row 0 [columns] at the fracBits of x, where it is of a public prefix. */
  readonly row?: PublicRows;
}

/** Subtraction of the sequence's first row. */
export const pivot: Gate<PivotInstruction> = {
  name: "pivot",
  does: "rows minus the first row of the sequence",
  operands: { x: (need) => need },
  cost: { onlineBits: "0", dealtBits: "0", rounds: "0", multiplyAdds: "count" },
  quantities: ({ out }, info) => ({ count: info(out).rows * info(out).columns }),
  tables({ x, row }, info, tables) {
    if (row !== undefined) tables.vector(row.vector, row.factor, info(x).fracBits, info(x).columns);
  },
  dealt: () => [],
  party({ x: id, out, key, firstPosition, row: known }, walk) {
    const x = walk.share(id);
    if (known !== undefined) {
      walk.setShare(out, walk.party === 0 ? minusRow(x, publicRow(known, walk, id)) : x.slice());
      return;
    }
    if (firstPosition === 0) walk.kept.set(key, x.slice(0, walk.info(id).columns) as ShareWords);
    const row = walk.kept.get(key);
    if (!(row instanceof BigUint64Array)) throw missing(key, row === undefined ? "nothing" : "a wire");
    walk.setShare(out, minusRow(x, row));
  },
  dealer() {},
  clear({ x: id, out, key, firstPosition, row: known }, walk) {
    const x = walk.clear(id);
    if (known !== undefined) {
      walk.setClear(out, minusRow(x, publicRow(known, walk, id)));
      return;
    }
    if (firstPosition === 0) walk.kept.set(key, x.slice(0, walk.info(id).columns) as typeof x);
    const row = walk.kept.get(key);
    if (row === undefined) throw missing(key, "nothing");
    walk.setClear(out, minusRow(x, row));
  },
  widths({ x, out }, info) {
    const ringBits = widthOf(info(out));
    return { ringBits, spareBits: widthOf(info(x)) - ringBits };
  },
  errorUnits: () => 0,
};

const publicRow = (
  { vector, factor }: PublicRows,
  { info, factors }: { readonly info: InfoOf; readonly factors: PublicFactors },
  x: ValueId,
): Words => factors.vector(vector, factor, info(x).fracBits, info(x).columns);

/** x [rows, columns] - row [columns] */
function minusRow(x: Words, row: Words): Words {
  const negative = new BigUint64Array(row.length);
  ring.scale(negative, row, -1n, 0n);
  const out = new BigUint64Array(x.length);
  ring.addColumns(out, x, negative);
  return out;
}

const missing = (key: string, got: string): Error =>
  new Error(`pivot ${key}: expected the row that the first step kept, got ${got}`);
