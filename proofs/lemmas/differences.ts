/**
 * Differences: what is computed from opened words stays a wire. Row difference: X_ij - Y_i under the mask r_ij - s_i is a wire of
 * x_ij - y_i mod 2^k, where k is at most the bits of both; its mask is shared by the differences of the mask shares. Pivot: shares
 * minus shares are shares of the difference mod 2^K.
 */
import { pivot } from "../../protocols/smpc/gates/pivot.ts";
import { rowDifference } from "../../protocols/smpc/gates/row-difference.ts";
import type { InstructionOf } from "../../protocols/smpc/plan/instruction.ts";
import type { ValueInfo } from "../../protocols/smpc/plan/value.ts";
import { compareWords, spreadWords } from "../conformance.ts";
import { openUnder, runGateCode } from "../gate-walk.ts";
import type { Lemma, Query } from "../lemma.ts";
import { splitWords } from "../../shares/sharing.ts";
import type { ShareWords } from "../../shares/words.ts";
import { add, equal, low, subtract, word, type Term } from "../term.ts";
import type { Widths } from "../widths.ts";

type DifferenceWidths = Widths["differences"][number];

const PARTIES = [2, 3, 4] as const;

/** The wire's two halves: of X and Y, and of r and s (and of the shares of r and s). */
const difference = (left: Term, right: Term, bits: number): Term => low(bits, subtract(left, right));

function wireQuery({ xBits, rowBits, outBits }: DifferenceWidths): Query {
  const [x, y, r, s] = ["x", "y", "r", "s"].map(word);
  const masked = difference(low(xBits, add(x, r)), low(rowBits, add(y, s)), outBits);
  return {
    name: `wire, ${xBits} - ${rowBits} to ${outBits}`,
    wordBits: 64,
    assume: [],
    claim: equal(
      low(outBits, subtract(masked, difference(low(xBits, r), low(rowBits, s), outBits))),
      difference(x, y, outBits),
    ),
  };
}

/** Shares mod 2^bits. */
function sharesQuery(parties: number, bits: number): Query {
  const each = (name: string): Term[] => Array.from({ length: parties }, (_, party) => word(`${name}${party}`));
  const [left, right] = [each("r"), each("s")];
  return {
    name: `shares, n = ${parties}, ${bits}`,
    wordBits: bits,
    assume: [equal(add(...left), word("r")), equal(add(...right), word("s"))],
    claim: equal(add(...left.map((one, party) => subtract(one, right[party]))), subtract(word("r"), word("s"))),
  };
}

const COUNT = 64;

/** Compares with the gates row-difference and pivot. Throws Error where they differ. */
function conform(all: readonly DifferenceWidths[]): void {
  const draw = (salt: number) => {
    let at = salt;
    return { fillWords: (out: BigUint64Array, bits: number) => out.set(spreadWords(out.length, bits, ++at)) };
  };
  for (const { xBits, rowBits, outBits } of all) {
    const instruction: InstructionOf<"row-difference"> = {
      gate: "row-difference",
      x: 0,
      row: 1,
      out: 2,
      layout: { heads: 1, kvHeads: 1, headDim: 1, queries: 1, past: COUNT - 1, causal: false, window: null },
    };
    const wire = (rows: number, bits: number): ValueInfo => ({ kind: "wire", rows, columns: 1, fracBits: 0, bits });
    const opened = (count: number, bits: number, salt: number) =>
      openUnder(
        splitWords(spreadWords(count, bits, salt), bits, 2, draw(salt)),
        [0, 1].map((party) => spreadWords(count, bits, salt + party) as ShareWords),
        bits,
      );
    const wires = { 0: opened(COUNT, xBits, 1), 1: opened(1, rowBits, 5) };
    const { outputs } = runGateCode(rowDifference, instruction, {
      parties: 2,
      values: [wire(COUNT, xBits), wire(1, rowBits), wire(COUNT, outBits)],
      random: draw(0),
      wires,
    });
    const what = `row-difference, ${xBits} - ${rowBits} to ${outBits}`;
    const term = difference(word("left"), word("right"), outBits);
    outputs.forEach((out, party) => {
      if (out instanceof BigUint64Array) throw new Error(`${what}: expected a wire, got a share`);
      compareWords(`${what}, public word`, out.masked, 64, (i) => ({
        term,
        values: { left: wires[0].masked[i], right: wires[1].masked[0] },
      }));
      compareWords(`${what}, mask of party ${party}`, out.mask, 64, (i) => ({
        term,
        values: { left: wires[0].maskShares[party][i], right: wires[1].maskShares[party][0] },
      }));
    });
  }
  const shares = [1, 2].map((salt) => spreadWords(COUNT, 64, salt));
  const share: ValueInfo = { kind: "share", rows: COUNT, columns: 1, fracBits: 0, ringBits: 64 };
  const { outputs } = runGateCode(
    pivot,
    { gate: "pivot", x: 0, out: 1, key: "k", firstPosition: 0 },
    { parties: 2, values: [share, share], random: draw(0), shares: { 0: shares } },
  );
  outputs.forEach((out, party) =>
    compareWords(`pivot, party ${party}`, out, 64, (i) => ({
      term: subtract(word("left"), word("right")),
      values: { left: shares[party][i], right: shares[party][0] },
    })),
  );
}

/** The lemma and what must not hold, for these widths. */
export function differenceLemmas({ differences }: Pick<Widths, "differences">): Lemma[] {
  const widths = differences.map(({ xBits, rowBits, outBits }) => `${xBits} - ${rowBits} to ${outBits}`).join(", ");
  const bits = [...new Set(differences.map(({ outBits }) => outBits))];
  return [
    {
      name: "differences",
      statement:
        "the difference of two opened words is a wire of the difference of the values, under the difference of the masks",
      expected: "proved",
      widths: `n = 2, 3, 4; k = ${widths}`,
      queries: [
        ...differences.map(wireQuery),
        ...PARTIES.flatMap((parties) => [...bits, 64].map((each) => sharesQuery(parties, each))),
      ],
      conform: () => conform(differences),
    },
    {
      name: "differences: too wide",
      statement: "the difference is a wire of one bit more than the narrower word has",
      expected: "refuted",
      widths,
      queries: differences.map((each) => wireQuery({ ...each, outBits: Math.min(each.xBits, each.rowBits) + 1 })),
      conform: null,
    },
  ];
}
