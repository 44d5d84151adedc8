/**
 * Shift: every party shifts its own share of x in Z_{2^K} right by t (party 0 adds n 2^(t-1) before) and reads it in Z_{2^(K-t)}. The sum
 * is x 2^-t rounded, up to floor(n / 2) units, and never off by a wrap: all of it mod 2^(K-t), whatever x and the shares are.
 *
 * Asked of the solver in steps, because adding up n words and shifting the sum is hard for it as one question. By the lemma rounding every
 * ring stands at the top of 64 bits, so that e = 64 - K + t says all; a shifted share times 2^e is the share less l_i in [0, 2^e), and
 * the nearest integer to x 2^-t times 2^e is x + 2^(e-1) less such an h. So for d, their sum less that integer:
 *
 *   rests  l_0 + ... + l_{n-1} is at most n (2^e - 1)
 *   units  2^e d = (n - 1) 2^(e-1) - (l_0 + ... + l_{n-1}) + h, so d is at most floor(n / 2) units either way, mod 2^(64-e)
 *
 * The same as one question is asked in a small ring, and of every negative lemma.
 */
import { shift } from "../../protocols/smpc/gates/shift.ts";
import type { ValueInfo } from "../../protocols/smpc/plan/value.ts";
import type { WidthsOf } from "../../protocols/smpc/plan/proved-widths.ts";
import { compareWords, spreadWords } from "../conformance.ts";
import { runGateCode } from "../gate-walk.ts";
import type { Lemma, Query } from "../lemma.ts";
import {
  add,
  atMost,
  constant,
  equal,
  low,
  shiftedLeft,
  shiftedRight,
  subtract,
  within,
  word,
  type Formula,
  type Term,
} from "../term.ts";
import type { WidthsInUse } from "../widths.ts";
import { cutsOf, spanOf } from "../sweep.ts";

/** A ring of K bits cut at t. */
interface Cut {
  readonly ringBits: number;
  readonly shiftBits: number;
}

/** What may be got wrong, so that a test can see the lemma fail. */
export interface ShiftFaults {
  /** Added to the units that the gate declares. */
  readonly moreUnits?: number;
  /** The insecure local truncation: out is read in the ring of x. */
  readonly keepsRing?: boolean;
}

/** As many as a run may have. */
const PARTIES = [2, 3, 4, 5, 6, 7, 8] as const;
/** Of the whole statement as one question, which is hard for the solver. */
const FEW_PARTIES = [2, 3, 4] as const;
const SMALL: Cut = { ringBits: 8, shiftBits: 3 };

const cutOf = ({ ringBits, shiftBits, spareBits }: WidthsOf<"shift">): Cut => ({
  ringBits: ringBits + shiftBits + spareBits,
  shiftBits,
});

/** A party's share of the result, as a term of its share. */
export function shiftedShare(share: Term, party: number, parties: number, { ringBits, shiftBits }: Cut): Term {
  return shiftedRight(shiftBits, low(ringBits, add(share, constant(addedBy(party, parties, shiftBits)))));
}

const addedBy = (party: number, parties: number, shiftBits: number): bigint =>
  party === 0 ? BigInt(parties) << BigInt(shiftBits - 1) : 0n;

/** Nearest integer to x 2^-t, ties up, right mod 2^(K - t). */
const nearest = (x: Term, { ringBits, shiftBits }: Cut): Term =>
  shiftedRight(shiftBits, low(ringBits, add(x, constant(1n << BigInt(shiftBits - 1)))));

const instruction = ({ shiftBits }: Cut) => ({ gate: "shift", x: 0, out: 1, bits: shiftBits }) as const;
const share = (ringBits: number, rows = 1): ValueInfo => ({ kind: "share", rows, columns: 1, fracBits: 0, ringBits });

function unitsOf(cut: Cut, parties: number): number {
  const values = [share(cut.ringBits), share(cut.ringBits - cut.shiftBits)];
  return Math.floor(shift.errorUnits(instruction(cut), { parties, info: (id) => values[id] }));
}

const label = (parties: number, { ringBits, shiftBits }: Cut): string => `n = ${parties}, ${ringBits} >> ${shiftBits}`;

/** The whole statement as one question. */
export function wholeShift(parties: number, cut: Cut, faults: ShiftFaults = {}): Query {
  const shares = Array.from({ length: parties }, (_, party) => word(`s${party}`));
  const sum = add(...shares.map((each, party) => shiftedShare(each, party, parties, cut)));
  const units = BigInt(unitsOf(cut, parties) + (faults.moreUnits ?? 0));
  const outBits = faults.keepsRing === true ? cut.ringBits : cut.ringBits - cut.shiftBits;
  const truth = faults.keepsRing === true ? signedNearest(add(...shares), cut) : nearest(add(...shares), cut);
  return {
    name: `whole, ${label(parties, cut)}`,
    wordBits: 64,
    assume: [],
    claim: within(subtract(sum, truth), -units, units, outBits),
  };
}

/** Nearest integer to the signed x in its whole ring: x is read as signed, as who keeps the ring must. */
function signedNearest(x: Term, cut: Cut): Term {
  const half = 1n << BigInt(cut.ringBits - 1);
  const lifted = shiftedRight(cut.shiftBits, low(cut.ringBits, add(x, constant(half))));
  return subtract(lifted, constant(half >> BigInt(cut.shiftBits)));
}

const most = (e: number): bigint => (1n << BigInt(e)) - 1n;
/** a <= count (2^e - 1); null where that is every word. */
const bounded = (a: Term, count: number, e: number): Formula | null =>
  BigInt(count) * most(e) < 1n << 64n ? atMost(a, BigInt(count) * most(e)) : null;

/** One rest more, up to those of all parties. */
function restsQueries(e: number): Query[] {
  const [a, l] = [word("a"), word("l")];
  return PARTIES.flatMap((parties) => {
    const [before, after] = [bounded(a, parties - 1, e), bounded(add(a, l), parties, e)];
    if (before === null || after === null) return [];
    return [
      {
        name: `rests, n = ${parties}, e = ${e}`,
        wordBits: 64,
        assume: [before, atMost(l, most(e))],
        claim: after,
      },
    ];
  });
}

function unitsQuery(parties: number, e: number, { moreUnits = 0 }: ShiftFaults): Query {
  const [d, rests, h] = [word("d"), word("rests"), word("h")];
  const units = BigInt(unitsOf({ ringBits: 64, shiftBits: e }, parties) + moreUnits);
  const sum = bounded(rests, parties, e);
  return {
    name: `units, n = ${parties}, e = ${e}`,
    wordBits: 64,
    assume: [
      equal(shiftedLeft(e, d), add(constant(BigInt(parties - 1) << BigInt(e - 1)), subtract(h, rests))),
      atMost(h, most(e)),
      ...(sum === null ? [] : [sum]),
    ],
    claim: within(d, -units, units, 64 - e),
  };
}

/** Compares `shiftedShare` with what the gate's parties compute, on words of all sizes and the edges. Throws Error where they differ. */
async function conform(all: readonly Cut[], count: number): Promise<void> {
  for (const cut of all)
    for (const parties of FEW_PARTIES) {
      const outBits = cut.ringBits - cut.shiftBits;
      const shares = Array.from({ length: parties }, (_, party) => spreadWords(count, 64, party));
      const { outputs } = await runGateCode(shift, instruction(cut), {
        parties,
        values: [share(cut.ringBits, count), share(outBits, count)],
        random: { fillWords: () => {} },
        shares: { 0: shares },
      });
      outputs.forEach((out, party) => {
        const term = shiftedShare(word("s"), party, parties, cut);
        compareWords(`shift, ${label(parties, cut)}, party ${party}`, out, outBits, (i) => ({
          term,
          values: { s: shares[party][i] },
        }));
      });
    }
}

/** Words that every cut is compared on, and those that plans have. */
const [FEW_WORDS, MANY_WORDS] = [8, 64];

/** The lemma and what must not hold, for these rings, the latter for the widths in use. */
export function shiftLemmas(
  rings: readonly number[],
  { shift: inUse }: Pick<WidthsInUse, "shift">,
  faults: ShiftFaults = {},
): Lemma[] {
  const used = inUse.filter(({ shiftBits }) => shiftBits > 0).map(cutOf);
  const widths = `K, t = ${spanOf(rings)}, t < K`;
  const inWords = used.map(({ ringBits, shiftBits }) => `${ringBits} >> ${shiftBits}`).join(", ");
  const refuted = { expected: "refuted", gates: [], conform: null } as const;
  const all = rings.flatMap((ringBits) =>
    cutsOf(rings).flatMap((shiftBits) => (shiftBits < ringBits ? [{ ringBits, shiftBits }] : [])),
  );
  return [
    {
      name: "shift",
      statement:
        "shares of K bits shifted right by t add up to x / 2^t mod 2^(K - t), off by the declared floor(n / 2) units at most and never by a wrap",
      expected: "proved",
      gates: ["shift"],
      widths: `n = ${spanOf(PARTIES)}; ${widths}`,
      queries: [
        ...FEW_PARTIES.map((parties) => wholeShift(parties, SMALL, faults)),
        ...cutsOf(rings).flatMap(restsQueries),
        ...cutsOf(rings).flatMap((e) => PARTIES.map((parties) => unitsQuery(parties, e, faults))),
      ],
      conform: async () => {
        await conform(all, FEW_WORDS);
        await conform(used, MANY_WORDS);
      },
    },
    {
      ...refuted,
      name: "shift: one unit less",
      statement: "shifted shares are off by less than the declared units",
      widths: `n = 2, 3, 4; ${inWords}`,
      queries: [SMALL, ...used].flatMap((each) =>
        FEW_PARTIES.map((parties) => wholeShift(parties, each, { moreUnits: -1 })),
      ),
    },
    {
      ...refuted,
      name: "shift: the ring is kept",
      statement:
        "the local truncation that reads the shifted shares in the ring of x is off by the declared units at most",
      widths: `n = 2; ${inWords}`,
      queries: [SMALL, ...used].map((each) => wholeShift(2, each, { keepsRing: true })),
    },
  ];
}
