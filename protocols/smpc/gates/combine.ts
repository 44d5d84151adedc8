/**
 * Combine: an integer linear combination of shares.
 *
 * Functionality: out = sum of factor * x over the terms, mod 2^K; factors are signed integers (powers of two align fracBits).
 * Parties: every party on its own shares.
 * Leaks: nothing (local).
 * Assumes: ringBits of x + twos in its factor >= ringBits of out; all terms have the shape of out.
 * Cost: `combine.cost`; no communication, nothing dealt. Error bound: 0 units.
 * Reference: additive sharing is linear. Proof: none needed (linearity). Test: tests/protocols/smpc/share-gates.test.ts
 */
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import type { Gate } from "../plan/gate.ts";
import type { InstructionOf, ValueId } from "../plan/instruction.ts";
import { widthOf } from "../plan/width-of.ts";
import { twos } from "../plan/plan-builder.ts";

/** A linear combination with integer factors. */
export const combine: Gate<"combine"> = {
  name: "combine",
  cost: { onlineBits: "0", dealtBits: "0", rounds: "0", multiplyAdds: "terms * count" },
  quantities: ({ terms, out }, info) => ({ terms: terms.length, count: info(out).rows * info(out).columns }),
  dealt: () => [],
  party: (instruction, walk) =>
    walk.setShare(
      instruction.out,
      sum(instruction, (id) => walk.share(id)),
    ),
  dealer() {},
  clear: (instruction, walk) =>
    walk.setClear(
      instruction.out,
      sum(instruction, (id) => walk.clear(id)),
    ),
  widths({ terms, out }, info) {
    const ringBits = widthOf(info(out));
    return {
      ringBits,
      spareBits: Math.min(...terms.map(({ x, factor }) => widthOf(info(x)) + twos(factor))) - ringBits,
    };
  },
  errorUnits: () => 0,
};

function sum({ terms }: InstructionOf<"combine">, words: (id: ValueId) => Words): Words {
  if (terms.length === 0) throw new Error("combine: expected at least one term, got none");
  const out = new BigUint64Array(words(terms[0].x).length);
  for (const { x, factor } of terms) ring.addScaled(out, out, words(x), BigInt(factor));
  return out;
}
