/**
 * Row difference: attention entries minus a number of their row, as a wire again, with no opening.
 *
 * Functionality: out_ij = x_ij - row_i mod 2^k: public X_ij - Y_i, mask r_ij - s_i; k = bits of out.
 * Parties: every party on its own words.
 * Leaks: nothing (local: all of it is computed from words that are open, or dealt).
 * Assumes: bits of x and of row >= bits of out, equal fracBits; only the differences need to fit the ring of out. The dealer has no carry
 *   of out: gates that extend take opened wires only.
 * Cost: `rowDifference.cost`; no communication, nothing dealt. Error bound: 0 units.
 * Reference: smpc.md, "Kinds of value". Proof: proofs/lemmas/differences.ts. Test: tests/protocols/smpc/wire-gates.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import { ring } from "../../../shares/ring.ts";
import type { MaskedWords, ShareWords, Words } from "../../../shares/words.ts";
import { entryCount, rowOffsets, type AttentionLayout } from "../plan/attention-layout.ts";
import { wireOf, type ValueId } from "../plan/value.ts";
import { signed } from "../../../shares/signed-words.ts";
import type { Gate } from "../plan/gate.ts";

/** out (entries, wire) = x - row, a row wire [heads * queries] of at least as many bits and equal fracBits. */
export interface RowDifferenceInstruction {
  readonly gate: "row-difference";
  readonly x: ValueId;
  readonly row: ValueId;
  readonly out: ValueId;
  readonly layout: AttentionLayout;
}

/** Entries minus a row wire. */
export const rowDifference: Gate<RowDifferenceInstruction> = {
  name: "row-difference",
  does: "attention entries minus a number of their row, as a wire",
  operands: { x: (need) => need, row: (need) => need },
  cost: { onlineBits: "0", dealtBits: "0", rounds: "0", multiplyAdds: "2 * entries" },
  quantities: ({ layout }) => ({ entries: entryCount(layout) }),
  tables() {},
  dealt: () => [],
  party({ x: id, row: rowId, out, layout }, walk) {
    const { bits } = wireOf(walk.info(out), "row-difference");
    const [x, row] = [walk.wire(id), walk.wire(rowId)];
    walk.setWire(out, {
      masked: difference(x.masked, row.masked, layout, bits) as MaskedWords,
      mask: difference(x.mask, row.mask, layout, bits) as ShareWords,
    });
  },
  dealer({ x, row, out, layout }, walk) {
    const { bits } = wireOf(walk.info(out), "row-difference");
    walk.setMask(out, difference(walk.mask(x), walk.mask(row), layout, bits));
  },
  clear({ x, row, out, layout }, walk) {
    const { bits } = wireOf(walk.info(out), "row-difference");
    walk.setClear(out, signed(difference(walk.clear(x), walk.clear(row), layout, bits), bits));
  },
  widths({ x, row, out }, info) {
    const bits = widthOf(info(out));
    return { bits, spareBits: Math.min(widthOf(info(x)), widthOf(info(row))) - bits };
  },
  errorUnits: () => 0,
};

/** x (entries) - row [heads * queries] mod 2^bits, canonical. */
function difference(x: Words, row: Words, layout: AttentionLayout, bits: number): Words {
  const out: Words = new BigUint64Array(x.length);
  ring.subtractRagged(out, x, row, rowOffsets(layout));
  ring.reduce(out, out, bits);
  return out;
}
