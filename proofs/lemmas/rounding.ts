/**
 * Rounding: a word of K bits shifted right by t, read where its ring stands at the top of 64 bits. Then rings of all widths are one:
 * with Y = y 2^(64-K) and e = 64 - K + t,
 *
 *   aligned    (y mod 2^K) >> t = Y >> e, so that words mod 2^(K-t) are multiples of 2^e mod 2^64
 *   remainder  Y = 2^e (Y >> e) + l, l = Y mod 2^e in [0, 2^e)
 *   nearest    so for Y = X + 2^(e-1), 2^e (Y >> e) - X is in (-2^(e-1), 2^(e-1)]: half a unit, ties up
 *
 * What is said of e alone holds for every K and t. A square that is dealt without its t lowest bits (square-scale) is rounded so; a shift
 * of shares adds up such words (lemma shift).
 */
import type { Lemma, Query } from "../lemma.ts";
import { add, constant, equal, low, shiftedLeft, shiftedRight, subtract, within, word, type Term } from "../term.ts";
import { cutsOf, spanOf } from "../sweep.ts";

/** What may be got wrong, so that a test can see the lemma fail: units of 2^(e-1) that nearest is off by. */
export interface RoundingFaults {
  readonly off?: bigint;
}

function alignedQuery(ringBits: number, shiftBits: number): Query {
  const y = word("y");
  return {
    name: `aligned, ${ringBits} >> ${shiftBits}`,
    wordBits: 64,
    assume: [],
    claim: equal(
      shiftedRight(shiftBits, low(ringBits, y)),
      shiftedRight(64 - ringBits + shiftBits, shiftedLeft(64 - ringBits, y)),
    ),
  };
}

/** 2^e (Y >> e) */
const floored = (Y: Term, e: number): Term => shiftedLeft(e, shiftedRight(e, Y));

const remainderQuery = (e: number): Query => ({
  name: `remainder, e = ${e}`,
  wordBits: 64,
  assume: [],
  claim: equal(word("Y"), add(floored(word("Y"), e), low(e, word("Y")))),
});

function nearestQuery(e: number, { off = 0n }: RoundingFaults = {}): Query {
  const X = word("X");
  const half = 1n << BigInt(e - 1);
  return {
    name: `nearest, e = ${e}`,
    wordBits: 64,
    assume: [],
    claim: within(subtract(floored(add(X, constant(half)), e), X), -half + 1n, half - off, 64),
  };
}

/** The lemma and what must not hold, for these rings; cuts at as many places. */
export function roundingLemmas(rings: readonly number[], faults: RoundingFaults = {}): Lemma[] {
  const pairs = rings.flatMap((ringBits) =>
    cutsOf(rings)
      .filter((shiftBits) => shiftBits < ringBits)
      .map((shiftBits) => [ringBits, shiftBits] as const),
  );
  const widths = `K, t = ${spanOf(rings)}, t < K`;
  return [
    {
      name: "rounding",
      statement:
        "a word of K bits shifted right by t, after half a unit was added, is within half a unit of the word times 2^-t mod 2^(K - t), ties up",
      expected: "proved",
      gates: ["shift", "square-scale"],
      widths,
      queries: [
        ...pairs.map(([ringBits, shiftBits]) => alignedQuery(ringBits, shiftBits)),
        ...cutsOf(rings).map(remainderQuery),
        ...cutsOf(rings).map((e) => nearestQuery(e, faults)),
      ],
      conform: null,
    },
    {
      name: "rounding: ties down",
      statement: "rounding is never half a unit up",
      expected: "refuted",
      gates: [],
      widths: `e = ${spanOf(cutsOf(rings))}`,
      queries: cutsOf(rings).map((e) => nearestQuery(e, { off: 1n })),
      conform: null,
    },
  ];
}
