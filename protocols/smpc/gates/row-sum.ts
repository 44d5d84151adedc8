/**
 * Row sum: the sum of every row of attention entries.
 *
 * Functionality: out [heads * queries] = sum of the row's visible entries of x mod 2^K.
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

/** out [heads * queries] = sum of each row of entries. Row order: head-major. */
export interface RowSumInstruction {
  readonly gate: "row-sum";
  readonly x: ValueId;
  readonly out: ValueId;
  readonly layout: AttentionLayout;
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
  party: ({ x, out, layout }, walk) => walk.setShare(out, sums(walk.share(x), layout)),
  dealer() {},
  clear: ({ x, out, layout }, walk) => walk.setClear(out, sums(walk.clear(x), layout)),
  widths({ x, out }, info) {
    const ringBits = widthOf(info(out));
    return { ringBits, spareBits: widthOf(info(x)) - ringBits };
  },
  errorUnits: () => 0,
};

function sums(x: Words, layout: AttentionLayout): Words {
  const offsets = rowOffsets(layout);
  const out: Words = new BigUint64Array(offsets.length - 1);
  ring.sumRagged(out, x, offsets);
  return out;
}
