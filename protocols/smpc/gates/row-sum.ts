/**
 * Row sum: the sum of every row of attention entries.
 *
 * Functionality: out [heads * queries], or [queries * heads] where byQuery, = sum of the row's visible entries of x mod 2^K.
 * Parties: every party on its own share. Leaks: nothing (local). Assumes: ringBits of x >= ringBits of out.
 * Cost: `rowSum.cost`; no communication, nothing dealt. Error bound: 0 units.
 * Reference: additive sharing is linear. Proof: proofs/lemmas/linear.ts. Test: tests/protocols/smpc/wire-gates.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import { entryCount, rowOffsets, type AttentionLayout } from "../plan/attention-layout.ts";
import type { Gate } from "../plan/gate.ts";
import type { ValueId } from "../plan/value.ts";

/** out = sum of each row of entries. Row order: head-major [heads * queries], or byQuery as the columns of an attention output [queries, heads]. */
export interface RowSumInstruction {
  readonly gate: "row-sum";
  readonly x: ValueId;
  readonly out: ValueId;
  readonly layout: AttentionLayout;
  readonly byQuery?: true;
}

/** Sums of ragged rows. */
export const rowSum: Gate<RowSumInstruction> = {
  name: "row-sum",
  does: "sums of the rows of attention entries",
  operands: { x: (need) => need },
  cost: { onlineBits: "0", dealtBits: "0", rounds: "0", multiplyAdds: "entries" },
  quantities: ({ layout }) => ({ entries: entryCount(layout) }),
  tables() {},
  dealt: () => [],
  party: (instruction, walk) => walk.setShare(instruction.out, sums(walk.share(instruction.x), instruction)),
  dealer() {},
  clear: (instruction, walk) => walk.setClear(instruction.out, sums(walk.clear(instruction.x), instruction)),
  widths({ x, out }, info) {
    const ringBits = widthOf(info(out));
    return { ringBits, spareBits: widthOf(info(x)) - ringBits };
  },
  errorUnits: () => 0,
};

function sums(x: Words, { layout, byQuery }: RowSumInstruction): Words {
  const offsets = rowOffsets(layout);
  const out: Words = new BigUint64Array(offsets.length - 1);
  ring.sumRagged(out, x, offsets);
  if (byQuery !== true) return out;
  const { heads, queries } = layout;
  return out.map((_, at) => out[(at % heads) * queries + Math.floor(at / heads)]);
}
