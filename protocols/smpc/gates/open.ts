/**
 * Open: a share becomes a masked wire. The only gate that communicates.
 *
 * Functionality: all parties hold X = x + r mod 2^k; each keeps its share of r.
 * Parties: each party i sends its share of x + r mod 2^k, k bits a word, to every other party; all add them up.
 * Leaks: X, to every party. r is uniform mod 2^k, fresh, and known to the dealer alone, so X is uniform whatever x is.
 * Assumes: ringBits of x >= k; semi-honest parties; the dealer sees no message that depends on X; no mask is used twice.
 * Cost: `open.cost`; openings of one level share a message and count as one round together. Error bound: 0 units.
 * Reference: Beaver's circuit randomisation, 10.1007/3-540-46766-1_34; masked wires as in ASTRA and ABY2.0, eprint 2020/1225.
 * Proof: proofs/lemmas/linear.ts; proofs/secrecy (secrecy of open). Test: tests/protocols/smpc/open.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import { ring } from "../../../shares/ring.ts";
import { type MaskedWords, type ShareWords, type Words } from "../../../shares/words.ts";
import type { Gate } from "../plan/gate.ts";
import type { ValueId } from "../plan/value.ts";
import { signed } from "../../../shares/signed-words.ts";

/** Share -> wire: the only instruction that sends anything. Width and fracBits are those of `out`. */
export interface OpenInstruction {
  readonly gate: "open";
  readonly x: ValueId;
  readonly out: ValueId;
}

/** What a party sends of its share of x and its share of the mask: x_i + r_i mod 2^bits, canonical. */
export function maskedShare(x: ShareWords, mask: ShareWords, bits: number): Words {
  const out = new BigUint64Array(x.length);
  ring.add(out, x, mask);
  ring.reduce(out, out, bits);
  return out;
}

/** The opened word X: all parties' masked shares added up mod 2^bits, canonical. Throws Error without parts. */
export function sumMasked(parts: readonly Words[], bits: number): MaskedWords {
  if (parts.length === 0) throw new Error("open: expected the parts of all parties, got none");
  const out = new BigUint64Array(parts[0].length);
  for (const part of parts) ring.add(out, out, part);
  ring.reduce(out, out, bits);
  return out as Words as MaskedWords;
}

/** Share to wire; the executors draw the masks and exchange the parts, with the functions above. */
export const open: Gate<OpenInstruction> = {
  name: "open",
  does: "a share becomes a wire: the only gate that sends anything",
  operands: { x: (need) => need },
  cost: { onlineBits: "n * (n - 1) * count * bits", dealtBits: "0", rounds: "1", multiplyAdds: "n * count" },
  quantities({ out }, info) {
    const wire = info(out);
    if (wire.kind !== "wire") throw new Error("open: expected a wire to open to, got a share");
    return { count: wire.rows * wire.columns, bits: wire.bits };
  },
  tables() {},
  // Masks cost nothing: all parties expand their shares of them.
  dealt: () => [],
  party() {},
  dealer() {},
  clear({ x, out: to }, walk) {
    const wire = walk.info(to);
    if (wire.kind !== "wire") throw new Error("open: expected a wire to open to, got a share");
    walk.setClear(to, signed(walk.clear(x), wire.bits));
  },
  widths({ x, out }, info) {
    const bits = widthOf(info(out));
    return { bits, spareBits: widthOf(info(x)) - bits };
  },
  errorUnits: () => 0,
};
