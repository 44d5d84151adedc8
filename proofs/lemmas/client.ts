/**
 * Take and give: what a client shares out, and what it reads from the top bits of shares.
 *
 * Take: parties 1 .. n-1 expand their shares, party 0 gets x less them mod 2^K.
 *
 *   take   the shares add up to x mod 2^K
 *   merge  the shares of any number of other parties are as one with their sum
 *
 * Give: party p sends the top bits of its share mod 2^b, (s mod 2^b) >> t; the client multiplies them by 2^t, adds half of 2^t, and adds
 * up. Asked in steps, because adding up n words and shifting each is hard for the solver as one question. By the lemma rounding every
 * ring stands at the top of 64 bits, so that e = 64 - b + t says all:
 *
 *   part   what the client makes of a part is the share mod 2^b, off by 2^(t-1) at most (t = 0: by nothing)
 *   sum    two sums that are off by A and B at most make one that is off by A + B
 *   read   x of |x| < 2^(b-1) - u, off by u at most, is read mod 2^b as it is: the error is never a wrap
 *
 * The same as one question is asked in a small ring, and of every negative lemma.
 */
import { give } from "../../protocols/smpc/gates/give.ts";
import type { InstructionOf } from "../../protocols/smpc/plan/instruction.ts";
import type { WidthsOf } from "../../protocols/smpc/plan/proved-widths.ts";
import { takenAndGiven } from "../client-walk.ts";
import { compareWords, spreadWords } from "../conformance.ts";
import type { Lemma, Query } from "../lemma.ts";
import { cutsOf, someBits, spanOf } from "../sweep.ts";
import {
  add,
  atMost,
  constant,
  equal,
  evaluate,
  low,
  shiftedLeft,
  shiftedRight,
  subtract,
  within,
  word,
  type Term,
} from "../term.ts";
import type { WidthsInUse } from "../widths.ts";

/** x mod 2^bits of which party 0 keeps `dropped` low bits back, and each other party `othersDropped`. */
interface Given {
  readonly bits: number;
  readonly dropped: number;
  readonly othersDropped: number;
}

/** What may be got wrong, so that a test can see the lemmas fail. */
export interface ClientFaults {
  /** A party's share is not taken off what party 0 gets. */
  readonly keepsShare?: boolean;
  /** Added to the units that the gate declares. */
  readonly moreUnits?: number;
  /** Nothing is added for what was dropped. */
  readonly floors?: boolean;
  /** Added to the largest x. */
  readonly above?: bigint;
}

const FEW_PARTIES = [2, 3, 4] as const;
const SMALL: Given = { bits: 8, dropped: 3, othersDropped: 2 };

/** What party 0 gets of x. */
const takenByFirst = (x: Term, others: readonly Term[], bits: number): Term => low(bits, others.reduce(subtract, x));

/** What a party sends of its share. */
const part = (share: Term, bits: number, dropped: number): Term => shiftedRight(dropped, low(bits, share));

const halfOf = (dropped: number): bigint => (dropped === 0 ? 0n : 1n << BigInt(dropped - 1));

/** What the client makes of a part. */
const readPart = (share: Term, bits: number, dropped: number, { floors = false }: ClientFaults = {}): Term =>
  add(shiftedLeft(dropped, part(share, bits, dropped)), constant(floors ? 0n : halfOf(dropped)));

const droppedBy = ({ dropped, othersDropped }: Given, party: number): number => (party === 0 ? dropped : othersDropped);

const instructionOf = ({ bits, dropped, othersDropped }: Given): InstructionOf<"give"> => ({
  gate: "give",
  x: 1,
  out: 2,
  bits,
  droppedBits: dropped,
  othersDroppedBits: othersDropped,
  rowsOf: [],
  columnsOf: null,
});

function unitsOf(given: Given, parties: number): bigint {
  const info = (): never => {
    throw new Error("give: expected units of its own bits, got a look at a value");
  };
  return BigInt(Math.floor(give.errorUnits(instructionOf(given), { parties, info })));
}

const label = (parties: number, { bits, dropped, othersDropped }: Given): string =>
  `n = ${parties}, ${bits} bits less ${dropped} and ${othersDropped}`;

const whole = { wordBits: 64, assume: [] } as const;

function takeQueries(rings: readonly number[], { keepsShare = false }: ClientFaults = {}): Query[] {
  const [x, s, t] = ["x", "s", "t"].map(word);
  return [
    ...rings.map((bits): Query => ({
      ...whole,
      name: `take, ${bits} bits`,
      claim: equal(low(bits, add(takenByFirst(x, keepsShare ? [] : [s], bits), low(bits, s))), low(bits, x)),
    })),
    { ...whole, name: "merge", claim: equal(subtract(subtract(x, s), t), subtract(x, add(s, t))) },
  ];
}

/** The whole statement as one question: what the client reads, less x, mod 2^bits. */
function wholeGive(parties: number, given: Given, faults: ClientFaults = {}): Query {
  const shares = Array.from({ length: parties }, (_, party) => word(`s${party}`));
  const read = shares.map((share, party) => readPart(share, given.bits, droppedBy(given, party), faults));
  const units = unitsOf(given, parties) + BigInt(faults.moreUnits ?? 0);
  return {
    ...whole,
    name: `whole, ${label(parties, given)}`,
    claim: within(subtract(add(...read), add(...shares)), -units, units, given.bits),
  };
}

/** Of all rings at once: see the lemma rounding. */
function partQuery(e: number, { floors = false }: ClientFaults): Query {
  const Y = word("Y");
  const half = halfOf(e);
  const read = add(shiftedLeft(e, shiftedRight(e, Y)), constant(floors ? 0n : half));
  return { ...whole, name: `part, e = ${e}`, claim: within(subtract(read, Y), -half, half, 64) };
}

/** Errors counted from their least: a of [0, A] and b of [0, B]. */
function sumQuery(): Query {
  const [a, b, A, B] = ["a", "b", "A", "B"].map(word);
  const most = (1n << 64n) - 1n; // more than that leaves no x at all
  return {
    name: "sum",
    wordBits: 65,
    assume: [atMost(A, most), atMost(B, most), atMost(a, A), atMost(b, B)],
    claim: atMost(add(a, b), add(A, B)),
  };
}

/** x + e is in the ring where x is in its range and e in [-u, u]: of all u that leave a range at all, in words that hold both. */
function readQuery(bits: number, { above = 0n }: ClientFaults = {}): Query {
  const [x, e, u] = ["x", "e", "u"].map(word);
  const half = 1n << BigInt(bits - 1);
  const room = subtract(constant(half - 1n), u);
  return {
    name: `read, ${bits} bits`,
    wordBits: bits + 2,
    assume: [
      atMost(u, half - 1n),
      atMost(add(e, u), shiftedLeft(1, u)),
      // |x| <= 2^(b-1) - 1 - u
      atMost(add(x, room), add(shiftedLeft(1, room), constant(above))),
    ],
    claim: equal(subtract(low(bits, add(x, e, constant(half))), constant(half)), add(x, e)),
  };
}

/** Integers that a float holds. */
const EXACT_BITS = 53;

/** Compares what the executors send and read with the terms, on words of all sizes and the edges. Throws Error where they differ. */
async function conform(all: readonly Given[], count: number): Promise<void> {
  for (const given of all)
    for (const parties of FEW_PARTIES) {
      const { bits } = given;
      const signed = spreadWords(count, Math.min(bits, EXACT_BITS), 0);
      const x = Float64Array.from(signed, (each) => Number(BigInt.asIntN(Math.min(bits, EXACT_BITS), each)));
      const shares = Array.from({ length: parties }, (_, party) => spreadWords(count, bits, party));
      const { taken, parts, read } = await takenAndGiven(instructionOf(given), x, shares);
      const what = `client, ${label(parties, given)}`;
      const others = shares.slice(1).map((_, at) => word(`s${at + 1}`));
      const valuesAt = (i: number): Record<string, bigint> => ({
        x: BigInt.asUintN(64, BigInt(x[i])),
        ...Object.fromEntries(shares.map((each, party) => [`s${party}`, party === 0 ? taken[i] : each[i]])),
      });
      compareWords(`${what}, taken`, taken, bits, (i) => ({
        term: takenByFirst(word("x"), others, bits),
        values: valuesAt(i),
      }));
      const mine = (party: number): Term => word(`s${party}`);
      parts.forEach((words, party) =>
        compareWords(`${what}, part of party ${party}`, words, bits - droppedBy(given, party), (i) => ({
          term: part(mine(party), bits, droppedBy(given, party)),
          values: valuesAt(i),
        })),
      );
      const sum = add(...shares.map((_, party) => readPart(mine(party), bits, droppedBy(given, party))));
      read.forEach((found, i) => {
        const expected = Number(BigInt.asIntN(bits, evaluate(sum, valuesAt(i), 64)));
        if (found !== expected)
          throw new Error(`${what}, number ${i}: the statement says ${expected}, the client reads ${found}`);
      });
    }
}

/** Numbers that every cut is compared on, and those that plans have. */
const [FEW_NUMBERS, MANY_NUMBERS] = [8, 64];

/** What a plan's widths say is the larger of the two: the others drop a bit less here. */
const givenOf = ({ bits, droppedBits }: WidthsOf<"give">): Given => ({
  bits,
  dropped: droppedBits,
  othersDropped: Math.max(0, droppedBits - 1),
});

/** The lemmas and what must not hold, for these rings, the latter for the widths in use. */
export function clientLemmas(
  rings: readonly number[],
  { give: inUse }: Pick<WidthsInUse, "give">,
  faults: ClientFaults = {},
): Lemma[] {
  const used = inUse.filter(({ droppedBits }) => droppedBits > 1).map(givenOf);
  const all = someBits(rings).flatMap((bits) =>
    [0, ...someBits(rings)]
      .filter((dropped) => dropped < bits)
      .map((dropped): Given => ({ bits, dropped, othersDropped: Math.floor(dropped / 2) })),
  );
  const refuted = { expected: "refuted", gates: [], conform: null } as const;
  const inWords = used.map(({ bits, dropped }) => `${bits} less ${dropped}`).join(", ");
  return [
    {
      name: "take",
      statement: "what party 0 gets and what the others expand add up to the client's number mod 2^K",
      expected: "proved",
      gates: ["take"],
      widths: `any n; K = ${spanOf(rings)}`,
      queries: takeQueries(rings, faults),
      conform: null,
    },
    {
      name: "give",
      statement:
        "the top bits of all shares say x, off by the declared units at most and never by a wrap, where |x| < 2^(b - 1) less those",
      expected: "proved",
      gates: ["give"],
      widths: `any n; b, t = ${spanOf(rings)}, t < b`,
      queries: [
        ...FEW_PARTIES.map((parties) => wholeGive(parties, SMALL, faults)),
        ...cutsOf(rings).map((e) => partQuery(e, faults)),
        sumQuery(),
        ...rings.map((bits) => readQuery(bits, faults)),
      ],
      async conform() {
        await conform(all, FEW_NUMBERS);
        await conform(used, MANY_NUMBERS);
      },
    },
    {
      ...refuted,
      name: "take: a share is kept",
      statement: "party 0 may get the number itself",
      widths: `n = 2; K = ${spanOf(rings)}`,
      queries: takeQueries(rings, { keepsShare: true }).filter(({ name }) => name !== "merge"),
    },
    {
      ...refuted,
      name: "give: one unit less",
      statement: "what the client reads is off by less than the declared units",
      widths: `n = 2, 3, 4; ${inWords}`,
      queries: [SMALL, ...used].flatMap((given) =>
        FEW_PARTIES.map((parties) => wholeGive(parties, given, { moreUnits: -1 })),
      ),
    },
    {
      ...refuted,
      name: "give: nothing for what was dropped",
      statement: "parts that are added up as they are are off by the declared units at most",
      widths: `n = 2, 3, 4; ${inWords}`,
      queries: [SMALL, ...used].flatMap((given) =>
        FEW_PARTIES.map((parties) => wholeGive(parties, given, { floors: true })),
      ),
    },
    {
      ...refuted,
      name: "give: x above its range",
      statement: "a number one unit above the range is read as it is",
      widths: `b = ${spanOf(rings)}`,
      queries: rings.map((bits) => readQuery(bits, { above: 1n })),
    },
  ];
}
