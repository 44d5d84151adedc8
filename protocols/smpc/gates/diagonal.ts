/**
 * Diagonal: every row's own entry, the one of its query's own position, as a row wire.
 *
 * Functionality: out [heads * queries] = x of the query's own position, a wire of the same words, reduced to the bits of out.
 * Parties: every party on its own words. Leaks: nothing (local; no word is opened again).
 * Assumes: bits of x >= bits of out. Every layout shows a query its own key.
 * Cost: `diagonal.cost`; no communication, nothing dealt. Error bound: 0 units.
 * Reference: smpc.md, gate 7 (pivot where the first key is out of sight). Proof: proofs/lemmas/differences.ts.
 * Test: tests/protocols/smpc/wire-gates.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import { ring } from "../../../shares/ring.ts";
import type { MaskedWords, ShareWords, Words } from "../../../shares/words.ts";
import { prefixOf, rowOffsets, visibleKeys, type AttentionLayout } from "../plan/attention-layout.ts";
import { wireOf, type ValueId } from "../plan/value.ts";
import { signed } from "../../../shares/signed-words.ts";
import type { Gate } from "../plan/gate.ts";

/** out (row wire [heads * queries]) = the row's own diagonal entry of x. */
export interface DiagonalInstruction {
  readonly gate: "diagonal";
  readonly x: ValueId;
  readonly out: ValueId;
  readonly layout: AttentionLayout;
}

/** The rows' own entries. */
export const diagonal: Gate<DiagonalInstruction> = {
  name: "diagonal",
  does: "the own entry of every row of attention entries, as a wire",
  operands: { x: (need) => need },
  cost: { onlineBits: "0", dealtBits: "0", rounds: "0", multiplyAdds: "0" },
  quantities: () => ({}),
  tables() {},
  dealt: () => [],
  party({ x: id, out, layout }, walk) {
    const { bits } = wireOf(walk.info(out), "diagonal");
    const x = walk.wire(id);
    const [masked, mask] = [ownEntries(x.masked, layout), ownEntries(x.mask, layout)];
    ring.reduce(masked, masked, bits);
    ring.reduce(mask, mask, bits);
    walk.setWire(out, { masked: masked as MaskedWords, mask: mask as ShareWords });
  },
  dealer({ x, out, layout }, walk) {
    const { bits } = wireOf(walk.info(out), "diagonal");
    const mask = ownEntries(walk.mask(x), layout);
    ring.reduce(mask, mask, bits);
    walk.setMask(out, mask);
  },
  clear({ x, out, layout }, walk) {
    const { bits } = wireOf(walk.info(out), "diagonal");
    walk.setClear(out, signed(ownEntries(walk.clear(x), layout), bits));
  },
  widths({ x, out }, info) {
    const bits = widthOf(info(out));
    return { bits, spareBits: widthOf(info(x)) - bits };
  },
  errorUnits: () => 0,
};

function ownEntries(x: Words, layout: AttentionLayout): Words {
  const offsets = rowOffsets(layout);
  const out: Words = new BigUint64Array(offsets.length - 1);
  for (let row = 0; row < out.length; row++) {
    const query = row % layout.queries;
    out[row] = x[offsets[row] + prefixOf(layout) + layout.past + query - visibleKeys(layout, query).first];
  }
  return out;
}
