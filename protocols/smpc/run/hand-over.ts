/**
 * Out of the parties: each receiver gets all shares of its own rows, and of no others.
 *
 * Functionality: from the parties' output shares of a segment to its rows in the clear at the CompNodes that own them (or at the
 *   client), with the check words by which a receiver sees that a row left its declared range, and the tags (opened-tags.ts) by which
 *   it sees that all parties opened the same words.
 * Parties: the n SMPC parties (input shares), CompNodes or the client (output their rows).
 * Leaks: to each receiver its own rows, and check words: constant but for rounding where the row kept to its ranges, else a function of
 *   the row's logits or squares. Not the opened words, even if it colludes with who deals: output shares leave with a share of zero.
 * Assumes: semi-honest. Cost: `handOverCost`; 1 round. Error bound: none (decoding is exact).
 * Reference: smpc.md, "Hand-over to Cascade". Proof: additive sharing. Test: tests/protocols/smpc/hand-over.test.ts
 */
import { ring } from "../../../shares/ring.ts";
import { joinShares } from "../../../shares/sharing.ts";
import type { Words } from "../../../shares/words.ts";
import type { CostExpressions } from "../../cost.ts";
import type { SegmentFormat } from "../plan/placement.ts";
import { packedBytes } from "./share-rows.ts";

/**
 * Per step and segment. Mh: receivers (CompNodes with a row, or one); Bh: bytes of their rows and checks packed, summed; n: parties. Every
 * message begins with tags of 16 bytes a peer.
 */
export const handOverCost: CostExpressions = {
  payloadBytes: "n * (Bh + 16 * (n - 1) * Mh)",
  messages: "n * Mh",
  rounds: "1",
  multiplyAdds: "0",
};

/**
 * A row that left the range of a site: a check word is off, so that it is wrong, or a value of the row itself lies in the outer half of
 * its ring, where what wrapped round lands as often as in the inner half.
 */
export interface FailedRow {
  readonly position: number;
  readonly site: string;
}

/** Of a range, what fixed-point errors may add to it: as certificates allow. */
const ROUNDING = 1 / 64;

/** Bytes of one party's shares of `rows` rows: every output and every check packed on its own. */
export function handOverBytes(rows: number, { outputs, checks }: SegmentFormat): number {
  let bytes = 0;
  for (const { columns, bits } of outputs) bytes += packedBytes(rows * columns, bits);
  for (const { perRow, bits } of checks) bytes += packedBytes(rows * perRow, bits);
  return bytes;
}

/** One party's shares of `rows` (indices into the step's rows, of which there are `stepRows`). */
export function packRows(
  shares: Readonly<Record<string, Words>>,
  rows: readonly number[],
  stepRows: number,
  { outputs, checks }: SegmentFormat,
): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { name, columns, bits } of outputs) {
    const words: Words = new BigUint64Array(rows.length * columns);
    rows.forEach((row, at) => words.set(shares[name].subarray(row * columns, (row + 1) * columns), at * columns));
    parts.push(ring.pack(words, bits));
  }
  for (const { name, perRow, bits } of checks) {
    const words: Words = new BigUint64Array(rows.length * perRow);
    // Checks are head-major [perRow, stepRows].
    rows.forEach((row, at) => {
      for (let head = 0; head < perRow; head++) words[at * perRow + head] = shares[name][head * stepRows + row];
    });
    parts.push(ring.pack(words, bits));
  }
  return Buffer.concat(parts);
}

/** Rows put together: outputs by name, [rows * columns] real numbers, and which rows failed a check. */
export interface JoinedRows {
  readonly outputs: Readonly<Record<string, Float64Array>>;
  readonly failed: readonly FailedRow[];
}

/** What all parties' shares of the rows at `positions` add up to. Throws RangeError for a message that is too short. */
export function joinRows(
  messages: readonly Uint8Array[],
  positions: readonly number[],
  { outputs, checks }: SegmentFormat,
): JoinedRows {
  let at = 0;
  const next = (count: number, bits: number, fracBits: number): Float64Array => {
    const bytes = packedBytes(count, bits);
    const shares = messages.map((message) => {
      const share: Words = new BigUint64Array(count);
      ring.unpack(share, message.subarray(at, at + bytes), bits, 0);
      return share;
    });
    at += bytes;
    const values = new Float64Array(count);
    ring.decode(values, joinShares(shares, bits), bits, fracBits);
    return values;
  };
  const joined: Record<string, Float64Array> = {};
  const failed: FailedRow[] = [];
  for (const { name, site, columns, bits, fracBits } of outputs) {
    const values = next(positions.length * columns, bits, fracBits);
    joined[name] = values;
    const most = 2 ** (bits - 2 - fracBits) * (1 + ROUNDING);
    positions.forEach((position, row) => {
      const words = values.subarray(row * columns, (row + 1) * columns);
      if (words.some((value) => Math.abs(value) > most)) failed.push({ position, site });
    });
  }
  for (const { site, perRow, bits, fracBits, expected, tolerance } of checks) {
    const values = next(positions.length * perRow, bits, fracBits);
    positions.forEach((position, row) => {
      const words = values.subarray(row * perRow, (row + 1) * perRow);
      if (words.some((value) => Math.abs(value - expected) > tolerance)) failed.push({ position, site });
    });
  }
  return { outputs: joined, failed };
}
