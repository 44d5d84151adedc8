/**
 * Extend: with x in [-2^(k-2), 2^(k-2)), X = x + r mod 2^k, A = (X + 2^(k-2) mod 2^k) - 2^(k-2), u = 1 - msb(X + 2^(k-2) mod 2^k) and
 * m = msb(r): x = A - r + 2^k u m, exactly; and the parties' shares of the gate's output add up to it mod 2^K, with dealt words of as few
 * bits as the gate deals.
 *
 *   lift   x = A - r + 2^k u m for all x of the range and all r
 *   carry  the parties' mask shares add up to r + 2^k carry
 *   sum    so out_0 + ... + out_{n-1} = A - r + 2^k u m mod 2^K, whatever lies above the dealt words' bits
 *
 * The lift is right for x = 2^(k-2) too, one unit above the declared range; so the negative lemma takes two.
 */
import { extend } from "../../protocols/smpc/gates/extend.ts";
import type { ValueInfo } from "../../protocols/smpc/plan/value.ts";
import { compareWords, edgeWords, spreadWords } from "../conformance.ts";
import { openShares, runGateCode } from "../gate-walk.ts";
import type { Lemma, Query } from "../lemma.ts";
import { add, atMost, constant, equal, low, multiply, shiftedRight, subtract, times2, within, word } from "../term.ts";
import type { Term } from "../term.ts";
import { splitWords } from "../../shares/sharing.ts";
import type { Widths } from "../widths.ts";

type ExtendWidths = Widths["extensions"][number];

/** What may be got wrong, so that a test can see the lemma fail. */
export interface ExtendFaults {
  /** Units that x may go below its declared range, and above it. */
  readonly below?: bigint;
  readonly above?: bigint;
  /** Bits that the dealt words lack. */
  readonly missingBits?: number;
}

const PARTIES = [2, 3, 4] as const;
/** The widest wire whose lift is proved, so that mask shares of four parties add up in one word. */
const MOST_BITS = 62;

/** A of the public word X. */
export const centred = (masked: Term, bits: number): Term => {
  const quarter = constant(1n << BigInt(bits - 2));
  return subtract(low(bits, add(masked, quarter)), quarter);
};
/** u of the public word X. */
export const lowHalf = (masked: Term, bits: number): Term =>
  subtract(constant(1), shiftedRight(bits - 1, low(bits, add(masked, constant(1n << BigInt(bits - 2))))));
/** m of the mask. */
export const topBit = (mask: Term, bits: number): Term => shiftedRight(bits - 1, mask);

/** R of r: r - 2^k u m. */
export const lifted = (mask: Term, low_: Term, top: Term, bits: number): Term =>
  subtract(mask, times2(bits, multiply(low_, top)));

/** The lift of wires of `bits` bits. */
export function liftQuery(bits: number, { below = 0n, above = 0n }: ExtendFaults = {}): Query {
  const [x, r] = [word("x"), word("r")];
  const quarter = 1n << BigInt(bits - 2);
  const masked = low(bits, add(x, r));
  return {
    name: `lift, k = ${bits}`,
    wordBits: 64,
    assume: [within(x, -quarter - below, quarter - 1n + above, 64), atMost(r, (1n << BigInt(bits)) - 1n)],
    claim: equal(subtract(centred(masked, bits), lifted(r, lowHalf(masked, bits), topBit(r, bits), bits)), x),
  };
}

const instruction = { gate: "extend", x: 0, out: 1 } as const;

function valuesOf({ bits, ringBits }: ExtendWidths, rows = 1): ValueInfo[] {
  return [
    { kind: "wire", rows, columns: 1, fracBits: 0, bits },
    { kind: "share", rows, columns: 1, fracBits: 0, ringBits },
  ];
}

/** Bits of the words that the gate deals; 0 where it deals none. */
function dealtBits(widths: ExtendWidths): number {
  const values = valuesOf(widths);
  const all = extend.dealt(instruction, (id) => values[id]).map(({ bits }) => bits);
  if (all.some((bits) => bits !== all[0]))
    throw new Error(`extend: expected dealt words of one width, got ${all.join(", ")}`);
  return all[0] ?? 0;
}

/** A party's share of the output, from its words; `carry` and `top` are null where nothing is dealt. */
export function extendedShare(
  party: number,
  bits: number,
  words: {
    readonly centred: Term;
    readonly low: Term;
    readonly mask: Term;
    readonly carry: Term | null;
    readonly top: Term | null;
  },
): Term {
  const { mask, carry, top } = words;
  const above = carry === null || top === null ? constant(0) : subtract(carry, multiply(words.low, top));
  return subtract(party === 0 ? words.centred : constant(0), add(mask, times2(bits, above)));
}

function sumQuery(parties: number, widths: ExtendWidths, { missingBits = 0 }: ExtendFaults = {}): Query {
  const { bits, ringBits } = widths;
  const dealt = dealtBits(widths) - missingBits;
  const each = (name: string): Term[] => Array.from({ length: parties }, (_, party) => word(`${name}${party}`));
  const [masks, carries, tops] = [each("r"), each("c"), each("m")];
  const [A, u, r, carry, m] = ["A", "u", "r", "carry", "m"].map(word);
  const isDealt = dealt > 0;
  const outs = masks.map((mask, party) =>
    extendedShare(party, bits, {
      centred: A,
      low: u,
      mask,
      carry: isDealt ? carries[party] : null,
      top: isDealt ? tops[party] : null,
    }),
  );
  return {
    name: `sum, n = ${parties}, ${bits} to ${ringBits}`,
    wordBits: ringBits,
    assume: [
      equal(add(...masks), add(r, times2(bits, carry))),
      // Shares mod 2^dealt: above it stands anything.
      ...(isDealt
        ? [
            equal(add(...carries), subtract(times2(dealt, word("aboveCarries")), carry)),
            equal(add(...tops), add(times2(dealt, word("aboveTops")), m)),
          ]
        : []),
    ],
    claim: equal(add(...outs), subtract(A, lifted(r, u, m, bits))),
  };
}

/** Mask shares of up to four parties add up to less than 2^64, so that their sum is one word here. */
function carryQuery(bits: number): Query {
  const sum = word("sum");
  return {
    name: `carry, k = ${bits}`,
    wordBits: 64,
    assume: [],
    claim: equal(sum, add(low(bits, sum), times2(bits, shiftedRight(bits, sum)))),
  };
}

/** Compares the statement's terms with what the gate's dealer deals and its parties compute. Throws Error where they differ. */
function conform(all: readonly ExtendWidths[]): void {
  const count = 64;
  for (const widths of all)
    for (const parties of PARTIES) {
      const { bits, ringBits } = widths;
      const random = edgeWords(`extend ${bits} ${ringBits} ${parties}`);
      const x = spreadWords(count, bits, 1);
      const wire = openShares(splitWords(x, bits, parties, random), bits, random);
      const { dealt, values, outputs } = runGateCode(extend, instruction, {
        parties,
        values: valuesOf(widths, count),
        random,
        wires: { 0: wire },
      });
      const isDealt = dealt.size > 0;
      const what = `extend, n = ${parties}, ${bits} to ${ringBits}`;
      if (isDealt) {
        compareWords(`${what}, dealt carry`, values.get("carry")!, ringBits - bits, (i) => ({
          term: subtract(constant(0), word("carry")),
          values: { carry: wire.carry[i] },
        }));
        compareWords(`${what}, dealt top`, values.get("top")!, ringBits - bits, (i) => ({
          term: topBit(word("r"), bits),
          values: { r: wire.mask[i] },
        }));
      }
      const terms = {
        centred: centred(word("X"), bits),
        low: lowHalf(word("X"), bits),
        mask: word("r"),
        carry: isDealt ? word("c") : null,
        top: isDealt ? word("m") : null,
      };
      outputs.forEach((out, party) => {
        const term = extendedShare(party, bits, terms);
        compareWords(`${what}, party ${party}`, out, ringBits, (i) => ({
          term,
          values: {
            X: wire.masked[i],
            r: wire.maskShares[party][i],
            ...(isDealt ? { c: dealt.get("carry")![party][i], m: dealt.get("top")![party][i] } : {}),
          },
        }));
      });
    }
}

const from = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** The lemma and what must not hold, for these widths. */
export function extendLemmas({ extensions }: Pick<Widths, "extensions">, faults: ExtendFaults = {}): Lemma[] {
  const wires = [...new Set(extensions.map(({ bits }) => bits))];
  const widths = extensions.map(({ bits, ringBits }) => `${bits} to ${ringBits}`).join(", ");
  const extended = extensions.filter(({ bits, ringBits }) => ringBits > bits);
  const refuted = { expected: "refuted", conform: null } as const;
  return [
    {
      name: "extend",
      statement:
        "x = A - r + 2^k u m for every x in a quarter of the wire's ring to both sides and every mask r, and the shares add up to it mod 2^K",
      expected: "proved",
      widths: `n = 2, 3, 4; k to K = ${widths}`,
      queries: [
        ...wires.map((bits) => liftQuery(bits, faults)),
        ...wires.map((bits) => carryQuery(bits)),
        ...PARTIES.flatMap((parties) => extensions.map((each) => sumQuery(parties, each, faults))),
      ],
      conform: () => conform(extensions),
    },
    {
      ...refuted,
      name: "extend: x above its range",
      statement: "the lift is right two units above its range",
      widths: `k = ${wires.join(", ")}`,
      queries: wires.map((bits) => liftQuery(bits, { above: 2n })),
    },
    {
      ...refuted,
      name: "extend: x below its range",
      statement: "the lift is right one unit below its range",
      widths: `k = ${wires.join(", ")}`,
      queries: wires.map((bits) => liftQuery(bits, { below: 1n })),
    },
    {
      ...refuted,
      name: "extend: dealt words too short",
      statement: "dealt words of a bit less are enough",
      widths: `n = 2; ${widths}`,
      queries: extended.filter((each) => dealtBits(each) > 1).map((each) => sumQuery(2, each, { missingBits: 1 })),
    },
  ];
}

/** The lemma for every wire and every ring, whether a plan has it or not; two parties. */
export function extendEverywhere(): Lemma {
  const pairs = from(2, MOST_BITS).flatMap((bits) => from(bits + 1, 64).map((ringBits) => ({ bits, ringBits })));
  return {
    name: "extend: every ring",
    statement: "the same between every two widths",
    expected: "proved",
    widths: `n = 2; k = 2 ... ${MOST_BITS}, K = k + 1 ... 64`,
    queries: [...from(2, MOST_BITS).map((bits) => liftQuery(bits)), ...pairs.map((each) => sumQuery(2, each))],
    conform: null,
  };
}
