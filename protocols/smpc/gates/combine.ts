/**
 * Combine: an integer linear combination of shares.
 *
 * Functionality: out = sum of factor * x over the terms, mod 2^K; factors are signed integers (powers of two align fracBits).
 * Parties: every party on its own shares.
 * Leaks: nothing (local).
 * Assumes: ringBits of x + twos in its factor >= ringBits of out; all terms have the shape of out.
 * Cost: `combine.cost`; no communication, nothing dealt. Error bound: 0 units.
 * Reference: additive sharing is linear. Proof: proofs/lemmas/linear.ts. Test: tests/protocols/smpc/share-gates.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import type { Gate } from "../plan/gate.ts";
import type { ValueId } from "../plan/value.ts";

/** out = sum of factor * x; factors are integers (powers of two align fracBits). */
export interface CombineInstruction {
  readonly gate: "combine";
  readonly terms: readonly { readonly x: ValueId; readonly factor: number }[];
  readonly out: ValueId;
}

/** A linear combination with integer factors. */
export const combine: Gate<CombineInstruction> = {
  name: "combine",
  does: "sums of shares times small integers",
  operands: { terms: (need, { factor }) => Math.max(1, need - twos(factor)) },
  cost: { onlineBits: "0", dealtBits: "0", rounds: "0", multiplyAdds: "terms * count" },
  quantities: ({ terms, out }, info) => ({ terms: terms.length, count: info(out).rows * info(out).columns }),
  tables() {},
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

function sum({ terms }: CombineInstruction, words: (id: ValueId) => Words): Words {
  if (terms.length === 0) throw new Error("combine: expected at least one term, got none");
  const out = new BigUint64Array(words(terms[0].x).length);
  for (const { x, factor } of terms) ring.addScaled(out, out, words(x), BigInt(factor));
  return out;
}

/** Exponent of two in an integer. */
function twos(factor: number): number {
  let count = 0;
  for (let rest = Math.abs(factor); rest !== 0 && rest % 2 === 0; rest /= 2) count++;
  return count;
}
