/**
 * Into the parties: rows split into additive shares.
 *
 * Functionality: whoever holds rows [rows, d] in the clear gives each party an additive share of their fixed-point words.
 * Parties: client or CompNode (input rows), the n SMPC parties (output a share each).
 * Leaks: nothing; any n - 1 shares are uniform (computationally: parties 0 .. n-2 get the seed of theirs, fresh for every message).
 * Assumes: fewer than n parties collude. |x| below 2^(inputBits - 1) units, or the words are right mod 2^inputBits only.
 * Cost: `inputShareCost`; 1 round. Error bound: half a unit of inputFracBits.
 * Reference: smpc.md, "Hand-over to Cascade". Proof: additive sharing. Test: tests/protocols/smpc/hand-over.test.ts
 */
import { randomBytes } from "node:crypto";
import { ring } from "../../../shares/ring.ts";
import { splitWords } from "../../../shares/sharing.ts";
import { StreamBook, type WordStream } from "../../../shares/stream-book.ts";
import type { Words } from "../../../shares/words.ts";
import type { CostExpressions } from "../../cost.ts";
import type { SegmentFormat } from "../plan/placement.ts";

/** Bytes of a seed that a share is expanded from. */
export const SEED_BYTES = 32;

/** What a seed of an input share is expanded to: one share, and nothing else ever. */
const shareStream = (seed: Uint8Array): WordStream => new StreamBook(seed).batch("input").stream("share");

/** Per step and segment. Ms: holders of rows (the client, or CompNodes with a row); Bs: bytes of their rows packed, summed; n: parties. */
export const inputShareCost: CostExpressions = {
  payloadBytes: "Bs + Ms * (n - 1) * 32",
  messages: "Ms * n",
  rounds: "1",
  multiplyAdds: "0",
};

/** Bytes of the last party's share of `words` words. */
export const packedBytes = (words: number, bits: number): number => Math.ceil((words * bits) / 8);

/** The message of each of the `parties`: seeds, and for the last one packed words. `values` are real numbers, [rows * d]. */
export function shareRows(values: ArrayLike<number>, parties: number, format: SegmentFormat): Uint8Array[] {
  const { inputBits, inputFracBits } = format;
  const words: Words = new BigUint64Array(values.length);
  ring.encode(words, values, inputFracBits);
  const messages: Uint8Array[] = [];
  const shares = splitWords(words, inputBits, parties, {
    fillWords(out, bits) {
      const seed = randomBytes(SEED_BYTES);
      shareStream(seed).fillWords(out, bits);
      messages.push(seed);
    },
  });
  messages.push(ring.pack(shares[parties - 1], inputBits));
  return messages;
}

/** Bytes of the message to one party. */
export function shareMessageBytes(party: number, parties: number, words: number, format: SegmentFormat): number {
  return party < parties - 1 ? SEED_BYTES : packedBytes(words, format.inputBits);
}

/** A party's share of `words` words from its message. */
export function shareFrom(
  message: Uint8Array,
  party: number,
  parties: number,
  words: number,
  format: SegmentFormat,
): Words {
  const share: Words = new BigUint64Array(words);
  if (party < parties - 1) shareStream(message).fillWords(share, format.inputBits);
  else ring.unpack(share, message, format.inputBits, 0);
  return share;
}
