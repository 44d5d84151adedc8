/**
 * Row sum: the sum of every row of attention entries.
 *
 * Functionality: out [heads * queries] = sum of the row's visible entries of x mod 2^K.
 * Parties: every party on its own share. Leaks: nothing (local). Assumes: ringBits of x >= ringBits of out.
 * Cost: `rowSum.cost`; no communication, nothing dealt. Error bound: 0 units.
 * Reference: additive sharing is linear. Proof: none needed (linearity). Test: tests/protocols/smpc/wire-gates.test.ts
 */
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import { entryCount, rowOffsets } from "../plan/attention-layout.ts";
import type { Gate } from "../plan/gate.ts";
import type { AttentionLayout } from "../plan/instruction.ts";
import { widthOf } from "../plan/width-of.ts";

/** Sums of ragged rows. */
export const rowSum: Gate<"row-sum"> = {
  name: "row-sum",
  cost: { onlineBits: "0", dealtBits: "0", rounds: "0", multiplyAdds: "entries" },
  quantities: ({ layout }) => ({ entries: entryCount(layout) }),
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
