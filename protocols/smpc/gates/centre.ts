/**
 * Centre: the mean of a row is taken off every element, without rounding.
 *
 * Functionality: out = columns * x - (sum of the row) mod 2^K, which is multiplier * (x - mean) at constantBits more fractional bits,
 *   as multiplier * 2^constantBits = columns.
 * Parties: every party on its own share.
 * Leaks: nothing (local).
 * Assumes: ringBits of x >= ringBits of out; fracBits of out = fracBits of x + constantBits.
 * Cost: `centre.cost`; no communication, nothing dealt. Error bound: 0 units.
 * Reference: LayerNorm's mean, arXiv 1607.06450. Proof: proofs/lemmas/linear.ts. Test: tests/protocols/smpc/share-gates.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import type { Gate } from "../plan/gate.ts";
import type { ValueInfo, ValueId } from "../plan/value.ts";

/** out = multiplier * (x - mean of the row), exactly, with constantBits more fracBits: multiplier * 2^constantBits = columns. */
export interface CentreInstruction {
  readonly gate: "centre";
  readonly x: ValueId;
  readonly out: ValueId;
  readonly multiplier: number;
  readonly constantBits: number;
}

/** Removal of the row mean. */
export const centre: Gate<CentreInstruction> = {
  name: "centre",
  does: "takes the mean off a row, exactly",
  operands: { x: (need) => need },
  cost: { onlineBits: "0", dealtBits: "0", rounds: "0", multiplyAdds: "2 * count" },
  quantities: ({ out }, info) => ({ count: info(out).rows * info(out).columns }),
  tables() {},
  dealt: () => [],
  party: (instruction, walk) =>
    walk.setShare(instruction.out, centred(instruction, walk.share(instruction.x), walk.info(instruction.x))),
  dealer() {},
  clear: (instruction, walk) =>
    walk.setClear(instruction.out, centred(instruction, walk.clear(instruction.x), walk.info(instruction.x))),
  widths({ x, out }, info) {
    const ringBits = widthOf(info(out));
    return { ringBits, spareBits: widthOf(info(x)) - ringBits };
  },
  errorUnits: () => 0,
};

/** x [rows, columns] -> the same shape */
function centred({ multiplier, constantBits }: CentreInstruction, x: Words, { rows, columns }: ValueInfo): Words {
  if (multiplier * 2 ** constantBits !== columns)
    throw new Error(
      `centre: expected multiplier * 2^constantBits = ${columns} columns, got ${multiplier} * 2^${constantBits}`,
    );
  const sums = new BigUint64Array(rows);
  ring.sumSegments(sums, x, columns);
  const out = new BigUint64Array(x.length);
  ring.scale(out, x, BigInt(columns), 0n);
  ring.subtractRagged(
    out,
    out,
    sums,
    Int32Array.from({ length: rows + 1 }, (_, row) => row * columns),
  );
  return out;
}
