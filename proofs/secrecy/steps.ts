/**
 * The steps whose secrecy is counted, by the code that sessions run: sharing (shares/sharing.ts), opening (gates/open.ts) and extension
 * (gates/extend.ts), on rings of 2 to 5 bits; and the same with a fault planted in what they are given.
 */
import { extend } from "../../protocols/smpc/gates/extend.ts";
import type { ValueInfo } from "../../protocols/smpc/plan/value.ts";
import { ring } from "../../shares/ring.ts";
import { splitWords, type UniformWords } from "../../shares/sharing.ts";
import type { ShareWords, Words } from "../../shares/words.ts";
import { openShares, openUnder, runGateCode, type OpenedWire } from "../gate-walk.ts";
import type { Seen, Step, Views } from "./views.ts";

/** The secrets of a ring of `bits` bits. */
const wholeRing = (bits: number): bigint[] => Array.from({ length: 2 ** bits }, (_, value) => BigInt(value));

/** [-2^(bits - 2), 2^(bits - 2)) mod 2^bits: what may be extended. */
const quarters = (bits: number): bigint[] =>
  Array.from({ length: 2 ** (bits - 1) }, (_, at) => BigInt.asUintN(bits, BigInt(at) - (1n << BigInt(bits - 2))));

const see = (words: Words, bits: number): Seen => ({ words, bits });

/** Every party's shares of the value and of the mask; what was sent to all, and what it adds up to. */
function viewsOf(shares: readonly ShareWords[], ringBits: number, opened: readonly OpenedWire[], bits: number): Views {
  return {
    own: shares.map((share, party) => [
      see(share, ringBits),
      ...opened.map(({ maskShares }) => see(maskShares[party], bits)),
    ]),
    everyone: opened.flatMap(({ parts, masked }) => [...parts, masked].map((words) => see(words, bits))),
  };
}

/** Shares of the secret. */
export const sharing = (parties: number, ringBits: number): Step => ({
  name: `share, n = ${parties}, ${ringBits} bits`,
  parties,
  secrets: wholeRing(ringBits),
  run: (secret, random) => viewsOf(splitWords(secret, ringBits, parties, random), ringBits, [], ringBits),
});

export type OpeningFault = "short mask" | "mask used twice" | "no mask";

/** The secret opened mod 2^bits from shares of `ringBits`. */
export function opening(parties: number, ringBits: number, bits: number, fault: OpeningFault | null = null): Step {
  return {
    name: `open, n = ${parties}, ${bits} of ${ringBits} bits`,
    parties,
    secrets: wholeRing(ringBits),
    run(secret, random) {
      const shares = splitWords(secret, ringBits, parties, random);
      if (fault === null) return viewsOf(shares, ringBits, [openShares(shares, bits, random)], bits);
      const drawnBits = { "short mask": bits - 1, "mask used twice": bits, "no mask": 0 }[fault];
      const masks = shares.map(({ length }) => {
        const mask: Words = new BigUint64Array(length);
        if (drawnBits > 0) random.fillWords(mask, drawnBits);
        return mask as ShareWords;
      });
      const once = openUnder(shares, masks, bits);
      if (fault !== "mask used twice") return viewsOf(shares, ringBits, [once], bits);
      const doubled = shares.map((share) => {
        const twice: Words = new BigUint64Array(share.length);
        ring.add(twice, share, share);
        return twice as ShareWords;
      });
      return viewsOf(shares, ringBits, [once, openUnder(doubled, masks, bits)], bits);
    },
  };
}

/** The secret opened twice, under a mask each. */
export const openingTwice = (parties: number, bits: number): Step => ({
  name: `open twice, n = ${parties}, ${bits} bits`,
  parties,
  secrets: wholeRing(bits),
  run(secret, random) {
    const shares = splitWords(secret, bits, parties, random);
    return viewsOf(shares, bits, [openShares(shares, bits, random), openShares(shares, bits, random)], bits);
  },
});

/** The secret opened mod 2^bits and extended to `ringBits`; the fault: dealt words reach the last party as they are. */
export function extending(parties: number, bits: number, ringBits: number, isDealtInClear = false): Step {
  return {
    name: `extend, n = ${parties}, ${bits} to ${ringBits} bits`,
    parties,
    secrets: quarters(bits),
    async run(secret, random) {
      const shares = splitWords(secret, bits, parties, random);
      const wire = openShares(shares, bits, random);
      const values: ValueInfo[] = [
        { kind: "wire", rows: secret.length, columns: 1, fracBits: 0, bits },
        { kind: "share", rows: secret.length, columns: 1, fracBits: 0, ringBits },
      ];
      const { dealt, outputs } = await runGateCode(
        extend,
        { gate: "extend", x: 0, out: 1 },
        { parties, values, random: isDealtInClear ? NO_RANDOMNESS : random, wires: { 0: wire } },
      );
      const { own, everyone } = viewsOf(shares, bits, [wire], bits);
      // Outputs follow from the rest; they are in it because they are what the parties go on with.
      const received = (party: number): Seen[] => [
        ...[...dealt.values()].map((words) => see(words[party], ringBits - bits)),
        see(outputs[party] as Words, ringBits),
      ];
      return { own: own.map((seen, party) => [...seen, ...received(party)]), everyone };
    },
  };
}

const NO_RANDOMNESS: UniformWords = { fillWords: (out) => void out.fill(0n) };
