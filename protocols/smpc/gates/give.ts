/**
 * Give: shares become the client's numbers.
 *
 * Functionality: every party sends the top bits of its share mod 2^bits; the client adds them up, half a unit for what each dropped, and
 *   multiplies by the row norms of the numbers that were taken and by the column norms of the matrix, where they were divided by them.
 * Parties: every party (its share), the client (output).
 * Leaks: to the client the value, which is its own; nothing between the parties.
 * Assumes: |x| < 2^(bits - 1) units of x, less the dropped bits' roundings.
 * Cost: `give.cost`; gives of one level travel in one message a party. Error bound: n/2 units of the dropped bits.
 * Reference: truncation of shares by rounding each, as in SecureML, 10.1109/SP.2017.12, section 4.1. Proof: proofs/lemmas/client.ts.
 * Test: tests/protocols/smpc/client-gates.test.ts
 */
import { ring } from "../../../shares/ring.ts";
import { signed } from "../../../shares/signed-words.ts";
import type { ShareWords, Words } from "../../../shares/words.ts";
import { rowNorms } from "../evaluation/row-norms.ts";
import type { MatrixSource } from "../factors/matrix-source.ts";
import type { ClientWalk, Gate } from "../plan/gate.ts";
import { shareOf, type ValueId } from "../plan/value.ts";
import { widthOf } from "../plan/width-of.ts";

/** x (share) -> out (client). */
export interface GiveInstruction {
  readonly gate: "give";
  readonly x: ValueId;
  readonly out: ValueId;
  /** x is read mod 2^bits, signed. */
  readonly bits: number;
  /** Low bits that party 0 keeps back, and each of the others. */
  readonly droppedBits: number;
  readonly othersDroppedBits: number;
  /** The numbers whose normalised rows x was made from: at most one. */
  readonly rowsOf: readonly { readonly x: ValueId }[];
  /** The matrix with divided columns that x came from; null: none. */
  readonly columnsOf: MatrixSource | null;
}

/** Bits that a party drops. */
export const droppedAt = ({ droppedBits, othersDroppedBits }: GiveInstruction, party: number): number =>
  party === 0 ? droppedBits : othersDroppedBits;

/** What a party sends, packed: the top bits of its share. */
export function givenPart(instruction: GiveInstruction, share: ShareWords, party: number): Uint8Array {
  const { bits } = instruction;
  const dropped = droppedAt(instruction, party);
  const top: Words = new BigUint64Array(share.length);
  ring.shiftRight(top, share, bits, dropped, 0n);
  return ring.pack(top, bits - dropped);
}

/** Bytes of `count` words of a party. */
export const givenBytes = (instruction: GiveInstruction, count: number, party: number): number =>
  Math.ceil((count * (instruction.bits - droppedAt(instruction, party))) / 8);

/** The top bits in a party's part, [count]. Throws RangeError for a part that is too short. */
export function topsOf(instruction: GiveInstruction, part: Uint8Array, count: number, party: number): Words {
  const tops: Words = new BigUint64Array(count);
  ring.unpack(tops, part, instruction.bits - droppedAt(instruction, party), 0);
  return tops;
}

/** The numbers that the top bits of all parties stand for, [count], not yet scaled. */
export function joinedTops(instruction: GiveInstruction, tops: readonly Words[], fracBits: number): Float64Array {
  const { bits } = instruction;
  const count = tops[0].length;
  const sum: Words = new BigUint64Array(count);
  const part: Words = new BigUint64Array(count);
  tops.forEach((top, party) => {
    const dropped = droppedAt(instruction, party);
    // What was dropped is uniform below 2^dropped: half of it is its mean.
    ring.scale(part, top, 1n << BigInt(dropped), dropped === 0 ? 0n : 1n << BigInt(dropped - 1));
    ring.add(sum, sum, part);
  });
  const values = new Float64Array(count);
  ring.decode(values, sum, bits, fracBits);
  return values;
}

/** Multiplies by what rows and columns were divided by, in place. */
export function unscaled({ out, rowsOf, columnsOf }: GiveInstruction, values: Float64Array, walk: ClientWalk): void {
  const { rows, columns } = walk.info(out);
  const byRow = rowsOf.length === 0 ? null : rowNorms(walk.real(rowsOf[0].x), rows);
  const byColumn = columnsOf === null ? null : walk.model.columnNorms(columnsOf);
  for (let row = 0, at = 0; row < rows; row++) {
    const factor = byRow === null ? 1 : byRow[row];
    for (let column = 0; column < columns; column++, at++)
      values[at] *= byColumn === null ? factor : factor * byColumn[column];
  }
}

/** Units that a party's part is off by at most. */
const halfOf = (dropped: number): number => (dropped === 0 ? 0 : 2 ** (dropped - 1));

/** Shares to the client; the executors carry the messages. */
export const give: Gate<GiveInstruction> = {
  name: "give",
  does: "the client gets a share's top bits from every party",
  operands: { x: (_, { bits }) => bits, rowsOf: () => 0 },
  cost: {
    onlineBits: "0",
    dealtBits: "0",
    rounds: "0",
    multiplyAdds: "0",
    givenBits: "count * (bits - droppedBits)",
    othersGivenBits: "count * (bits - othersDroppedBits)",
  },
  meanings: {
    droppedBits: "low bits that the first party keeps back",
    othersDroppedBits: "low bits that each other party keeps back",
  },
  quantities: ({ out, bits, droppedBits, othersDroppedBits }, info) => {
    const { rows, columns } = info(out);
    return { count: rows * columns, bits, droppedBits, othersDroppedBits };
  },
  tables() {},
  dealt: () => [],
  party() {},
  dealer() {},
  clear(instruction, walk) {
    const words = signed(walk.clear(instruction.x), instruction.bits);
    const values = new Float64Array(words.length);
    ring.decode(values, words, 64, shareOf(walk.info(instruction.x)).fracBits);
    unscaled(instruction, values, walk);
    walk.setReal(instruction.out, values);
  },
  widths: ({ x, bits, droppedBits, othersDroppedBits }, info) => ({
    bits,
    droppedBits: Math.max(droppedBits, othersDroppedBits),
    keptBits: bits - Math.max(droppedBits, othersDroppedBits),
    spareBits: widthOf(info(x)) - bits,
  }),
  errorUnits: ({ droppedBits, othersDroppedBits }, { parties }) =>
    halfOf(droppedBits) + (parties - 1) * halfOf(othersDroppedBits),
};
