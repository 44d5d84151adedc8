/**
 * Additive sharing mod 2^ringBits: any n - 1 of the n shares are uniform, whatever the words are. Test: tests/shares/sharing.test.ts
 */
import { ring } from "./ring.ts";
import type { ShareWords, Words } from "./words.ts";

/** Where uniform words come from: a Generator, as a rule. */
export interface UniformWords {
  /** Fills `out` with uniform words of `bits` bits. */
  fillWords(out: Words, bits: number): void;
}

/**
 * `parties` shares of `words`, canonical mod 2^ringBits. `random` draws the shares of all parties but the last, in their order.
 * Throws RangeError for fewer than two parties.
 */
export function splitWords(words: Words, ringBits: number, parties: number, random: UniformWords): ShareWords[] {
  if (!(parties >= 2)) throw new RangeError(`sharing: expected 2 parties or more, got ${parties}`);
  const rest: Words = words.slice();
  const shares: Words[] = [];
  for (let party = 0; party < parties - 1; party++) {
    const share: Words = new BigUint64Array(words.length);
    random.fillWords(share, ringBits);
    ring.subtract(rest, rest, share);
    shares.push(share);
  }
  ring.reduce(rest, rest, ringBits);
  shares.push(rest);
  return shares as ShareWords[];
}

/** What the shares of all parties add up to, canonical mod 2^ringBits. Throws RangeError for shares of differing length. */
export function joinShares(shares: readonly Words[], ringBits: number): Words {
  if (shares.length === 0) throw new RangeError("sharing: expected the shares of all parties, got none");
  const sum: Words = shares[0].slice();
  for (const share of shares.slice(1)) ring.add(sum, sum, share);
  ring.reduce(sum, sum, ringBits);
  return sum;
}
