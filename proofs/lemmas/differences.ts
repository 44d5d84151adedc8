/**
 * What is computed from opened words stays a wire. Row difference: X_ij - Y_i under the mask r_ij - s_i is a wire of x_ij - y_i mod 2^k,
 * where k is at most the bits of both; its mask is shared by the differences of the mask shares. Append and diagonal move words and may
 * read them in fewer bits, which is the same with y = 0.
 */
import { append } from "../../protocols/smpc/gates/append.ts";
import { diagonal } from "../../protocols/smpc/gates/diagonal.ts";
import { rowDifference } from "../../protocols/smpc/gates/row-difference.ts";
import type { PartyWire } from "../../protocols/smpc/plan/gate.ts";
import type { ValueInfo } from "../../protocols/smpc/plan/value.ts";
import type { AttentionLayout } from "../../protocols/smpc/plan/attention-layout.ts";
import { splitWords, type UniformWords } from "../../shares/sharing.ts";
import type { Words } from "../../shares/words.ts";
import { compareWords, edgeWords, spreadWords } from "../conformance.ts";
import { openShares, runGateCode, type OpenedWire } from "../gate-walk.ts";
import type { Lemma, Query } from "../lemma.ts";
import { MODULUS } from "../shared-formula.ts";
import { spanOf } from "../sweep.ts";
import { add, constant, equal, low, multiply, subtract, word, type Term } from "../term.ts";

/** Bits that the words of x and of the row have beyond those of the difference, so that a test can see the lemma fail: fewer than none. */
export interface DifferenceFaults {
  readonly spareBits?: 0 | -1;
}

/** Words of any number of bits above M, as multiples of it; or of a bit less, as multiples of half of it. */
function wireQuery({ spareBits = 0 }: DifferenceFaults): Query {
  const [x, y, r, s] = ["x", "y", "r", "s"].map(word);
  const above = spareBits === 0 ? MODULUS : word("halfOfM");
  const of = (name: string): Term => multiply(above, word(name));
  const [X, Y] = [add(x, r, of("h")), add(y, s, of("g"))];
  const mask = subtract(add(r, multiply(MODULUS, word("i"))), add(s, multiply(MODULUS, word("j"))));
  const multiples = subtract(add(word("h"), word("j")), add(word("g"), word("i")));
  return {
    name: "wire",
    wordBits: 64,
    assume: [],
    claim: equal(subtract(subtract(X, Y), mask), add(subtract(x, y), multiply(MODULUS, multiples))),
  };
}

/** Of one width: words of `bits` bits, a difference of a bit more. */
function tooWideQuery(bits: number): Query {
  const [x, y, r, s] = ["x", "y", "r", "s"].map(word);
  const masked = subtract(low(bits, add(x, r)), low(bits, add(y, s)));
  return {
    name: `wire, ${bits} to ${bits + 1}`,
    wordBits: 64,
    assume: [],
    claim: equal(low(bits + 1, subtract(masked, subtract(low(bits, r), low(bits, s)))), low(bits + 1, subtract(x, y))),
  };
}

/** Mask shares of two parties, and so of any number: differences add up to the difference. */
const sharesQuery: Query = {
  name: "shares",
  wordBits: 64,
  assume: [],
  claim: equal(
    add(subtract(word("r0"), word("s0")), subtract(word("r1"), word("s1"))),
    subtract(add(word("r0"), word("r1")), add(word("s0"), word("s1"))),
  ),
};

const COUNT = 16;
const LAYOUT: AttentionLayout = {
  heads: 1,
  kvHeads: 1,
  headDim: 1,
  queries: 1,
  past: COUNT - 1,
  causal: false,
  window: null,
};

const wireInfo = (rows: number, bits: number): ValueInfo => ({ kind: "wire", rows, columns: 1, fracBits: 0, bits });

/** Compares both halves of every party's wire with words mod 2^bits. Throws Error where they differ. */
function compareWires(
  what: string,
  outputs: readonly (Words | PartyWire)[],
  bits: number,
  expected: (half: (wire: OpenedWire) => Words, index: number) => bigint,
): void {
  outputs.forEach((out, party) => {
    if (out instanceof BigUint64Array) throw new Error(`${what}: expected a wire, got a share`);
    for (const [name, found, half] of [
      ["public word", out.masked, (wire: OpenedWire) => wire.masked],
      ["mask", out.mask, (wire: OpenedWire) => wire.maskShares[party]],
    ] as const)
      compareWords(`${what}, ${name} of party ${party}`, found, 64, (i) => ({
        term: constant(BigInt.asUintN(bits, expected(half, i))),
        values: {},
      }));
  });
}

/** Compares with the gates row-difference, append and diagonal, for words of `bits` bits and up to two more. */
async function compare(bits: number, parties: number): Promise<void> {
  const random: UniformWords = edgeWords(`differences ${bits} ${parties}`);
  const [xBits, rowBits] = [Math.min(64, bits + (bits % 3)), Math.min(64, bits + ((bits + 1) % 2))];
  const opened = (count: number, width: number, salt: number): OpenedWire =>
    openShares(splitWords(spreadWords(count, width, salt), width, parties, random), width, random);
  const [x, row] = [opened(COUNT, xBits, 1), opened(1, rowBits, 5)];
  const setting = { parties, random, wires: { 0: x, 1: row } };
  const [entries, one] = [wireInfo(COUNT, xBits), wireInfo(1, rowBits)];
  const difference = await runGateCode(
    rowDifference,
    { gate: "row-difference", x: 0, row: 1, out: 2, layout: LAYOUT },
    { ...setting, values: [entries, one, wireInfo(COUNT, bits)] },
  );
  compareWires(`row-difference to ${bits}`, difference.outputs, bits, (half, i) => half(x)[i] - half(row)[0]);
  const own = await runGateCode(
    diagonal,
    { gate: "diagonal", x: 0, out: 2, layout: LAYOUT },
    { ...setting, values: [entries, one, wireInfo(1, bits)] },
  );
  compareWires(`diagonal to ${bits}`, own.outputs, bits, (half) => half(x)[COUNT - 1]);
  const rows = await runGateCode(
    append,
    { gate: "append", x: 0, out: 2, key: "k" },
    { ...setting, values: [entries, one, wireInfo(COUNT, bits)] },
  );
  compareWires(`append to ${bits}`, rows.outputs, bits, (half, i) => half(x)[i]);
}

/** The lemma for all wires, and what must not hold. */
export function differenceLemmas(rings: readonly number[], faults: DifferenceFaults = {}): Lemma[] {
  const narrower = rings.filter((bits) => bits < 64);
  return [
    {
      name: "differences",
      statement:
        "the difference of two opened words is a wire of the difference of the values, under the difference of the masks, in as many bits as both have or fewer",
      expected: "proved",
      gates: ["row-difference", "append", "diagonal"],
      widths: `any n; k = ${spanOf(rings)}`,
      queries: [wireQuery(faults), sharesQuery],
      async conform() {
        for (const bits of rings) for (const parties of [2, 3]) await compare(bits, parties);
      },
    },
    {
      name: "differences: too wide",
      statement: "the difference is a wire of one bit more than the words have",
      expected: "refuted",
      gates: [],
      widths: `k = ${spanOf(narrower)}`,
      queries: narrower.map(tooWideQuery),
      conform: null,
    },
  ];
}
