/**
 * Take: the client's numbers become shares.
 *
 * Functionality: out = additive shares of x at fracBits of out, mod 2^ringBits; `normalised`: of every row divided by its 2-norm, which stays
 *   with the client. Parties 1 .. n-1 expand their shares from seeds that the client gave them, party 0 gets the rest.
 * Parties: the client (input), every party (its share).
 * Leaks: nothing: any n - 1 shares are uniform, whatever the numbers are.
 * Assumes: streams that are used once (shares/stream-book.ts); fewer than n parties collude.
 * Cost: `take.cost`; takes of one level travel in one message from the client to party 0. Error bound: half a unit.
 * Reference: additive sharing with seeds; masked linear layers with a client as in Slalom, arXiv 1806.03287.
 * Proof: proofs/lemmas/client.ts, proofs/secrecy (secrecy of a server). Test: tests/protocols/smpc/client-gates.test.ts
 */
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import { rowNorms } from "../evaluation/row-norms.ts";
import type { ClientWalk, Gate } from "../plan/gate.ts";
import { shareOf, type ValueId } from "../plan/value.ts";

/** x (client) -> out (share); `normalised`: row by row divided by its 2-norm, so that no range is needed. */
export interface TakeInstruction {
  readonly gate: "take";
  readonly x: ValueId;
  readonly out: ValueId;
  readonly normalised: boolean;
}

/** The words of what is taken, as shares add up to it: [rows * columns], signed. */
export function takenWords({ x, out, normalised }: TakeInstruction, walk: ClientWalk): Words {
  const values = walk.real(x);
  const { rows, columns, fracBits } = walk.info(out);
  const words: Words = new BigUint64Array(values.length);
  ring.encode(words, normalised ? divided(values, rows, columns) : values, fracBits);
  return words;
}

function divided(values: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(values.length);
  rowNorms(values, rows).forEach((norm, row) => {
    for (let at = row * columns; at < (row + 1) * columns; at++) out[at] = values[at] / norm;
  });
  return out;
}

/** Client to shares; the executors draw the streams and carry the message. */
export const take: Gate<TakeInstruction> = {
  name: "take",
  does: "the client's numbers become shares",
  operands: { x: () => 0 },
  cost: { onlineBits: "0", dealtBits: "0", rounds: "0", multiplyAdds: "0", takenBits: "count * ringBits" },
  quantities({ out }, info) {
    const { rows, columns, ringBits } = shareOf(info(out));
    return { count: rows * columns, ringBits };
  },
  tables() {},
  dealt: () => [],
  party() {},
  dealer() {},
  clear(instruction, walk) {
    walk.setClear(instruction.out, takenWords(instruction, walk));
  },
  widths: ({ out }, info) => ({ ringBits: shareOf(info(out)).ringBits }),
  errorUnits: () => 0,
};
