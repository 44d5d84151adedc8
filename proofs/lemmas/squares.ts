/**
 * Squares of a wire of k bits in a larger ring: with a = A - R, R = r - 2^k u m (lemma lift), what the parties compute adds up to
 * (A - R)^2 mod 2^K. All that is dealt of the top bit comes times 2^(k+1), because R is doubled, so that words a bit shorter do; and a
 * ring of k + 1 bits needs none: there, A - R need be x mod 2^k only (residue). u and m are bits: a question for each pair of them. The
 * sum over a group is linear.
 */
import { squares as squaresGate } from "../../protocols/smpc/gates/squares.ts";
import type { ValueInfo } from "../../protocols/smpc/plan/value.ts";
import type { InstructionOf } from "../../protocols/smpc/plan/instruction.ts";
import type { WidthsOf } from "../../protocols/smpc/plan/proved-widths.ts";
import { publicLift, publicLiftNonNegative } from "../../protocols/smpc/product/narrow-wire.ts";
import { splitWords } from "../../shares/sharing.ts";
import { compareFormula } from "../compare-formula.ts";
import { edgeWords, spreadWords } from "../conformance.ts";
import { openShares } from "../gate-walk.ts";
import type { Lemma, Query } from "../lemma.ts";
import {
  checkDealt,
  everyWidthQueries,
  oneWidthQuery,
  type FormulaFaults,
  type SharedFormula,
} from "../shared-formula.ts";
import { spanOf } from "../sweep.ts";
import { add, constant, equal, multiply, negative, subtract, times2, word, type Term } from "../term.ts";
import type { WidthsInUse } from "../widths.ts";

type SquareWidths = WidthsOf<"squares">;

/** The gate's formula; H is 2^(k-1). */
export function squareFormula(H: Term, u: Term, m: Term): SharedFormula {
  const [A, r, c] = ["A", "r", "c"].map(word);
  const P = times2(1, H);
  const a = add(A, negative(r), multiply(P, u, m));
  return {
    share: (isFirst, at) =>
      add(
        multiply(
          A,
          add(
            isFirst ? A : constant(0),
            multiply(constant(-2), at("r")),
            negative(at("carry")),
            multiply(u, at("top")),
          ),
        ),
        multiply(u, subtract(multiply(H, at("top")), at("top mask"))),
        at("squares"),
      ),
    values: {
      r: add(r, multiply(P, c)),
      carry: negative(times2(1, multiply(P, c))),
      top: times2(1, multiply(P, m)),
      "top mask": times2(1, multiply(P, m, r)),
      squares: multiply(r, r),
    },
    truth: multiply(a, a),
  };
}

const exponentsOf = ({ bits }: SquareWidths) => ({ carry: bits + 1, top: bits + 1, "top mask": bits + 1, squares: 0 });

const valuesOf = ({ bits, ringBits }: SquareWidths, rows: number): ValueInfo[] => [
  { kind: "wire", rows, columns: 1, fracBits: 0, bits },
  { kind: "share", rows, columns: 1, fracBits: 0, ringBits },
];

const isNonNegative = ({ bits, belowBits }: SquareWidths): boolean => belowBits === bits - 5;
const at = (widths: SquareWidths): string =>
  `${widths.bits}${isNonNegative(widths) ? " non-negative" : ""} squared in ${widths.ringBits}`;

const instructionOf = (widths: SquareWidths): InstructionOf<"squares"> => ({
  gate: "squares",
  x: 0,
  out: 1,
  width: 1,
  ...(isNonNegative(widths) ? { nonNegative: true } : {}),
});

function dealtFor(widths: SquareWidths) {
  const values = valuesOf(widths, 1);
  return squaresGate.dealt(instructionOf(widths), (id) => values[id]);
}

/** Compares the formula with the gate's dealer and parties. Throws Error where they differ. */
async function compare(widths: SquareWidths, parties: number, rows: number): Promise<void> {
  const { bits, ringBits } = widths;
  const random = edgeWords(`squares ${at(widths)} ${parties}`);
  const wire = openShares(splitWords(spreadWords(rows, bits, 1), bits, parties, random), bits, random);
  const lift = isNonNegative(widths) ? publicLiftNonNegative(wire.masked, bits) : publicLift(wire.masked, bits);
  const half = BigInt(bits - 1);
  await compareFormula({
    what: `squares, n = ${parties}, ${at(widths)}`,
    gate: squaresGate,
    instruction: instructionOf(widths),
    values: valuesOf(widths, rows),
    parties,
    random,
    wires: { 0: wire },
    ringBits,
    formula: squareFormula(constant(1n << half), word("u"), word("m")),
    exponents: exponentsOf(widths),
    words: (i) => ({
      A: lift.centred[i],
      u: lift.low[i],
      r: wire.mask[i],
      c: wire.carry[i],
      m: wire.mask[i] >> half,
    }),
    own: (party, i) => ({ r: wire.maskShares[party][i] }),
  });
}

/** A number that is right mod P = 2 H has the right square mod 2 P. */
function residueQuery(): Query {
  const [H, x, h] = ["H", "x", "h"].map(word);
  const near = add(x, multiply(times2(1, H), h));
  const multiple = add(multiply(x, h), multiply(H, h, h));
  return {
    name: "residue",
    wordBits: 64,
    assume: [],
    claim: equal(multiply(near, near), add(multiply(x, x), multiply(times2(2, H), multiple))),
  };
}

const PAIRS = [0, 1].flatMap((u) => [0, 1].map((m) => ({ u, m })));

/** Two parties, in one ring, with sums of squares a bit too short. */
const shortQuery = (widths: SquareWidths): Query =>
  oneWidthQuery(
    `square, n = 2, ${at(widths)}`,
    squareFormula(constant(1n << BigInt(widths.bits - 1)), constant(1), constant(1)),
    widths.ringBits,
    { dealtBits: { squares: widths.ringBits - 1 }, assume: [] },
  );

/** The lemma for all wires and rings of these bits, and what must not hold for the widths in use. */
export function squareLemmas(
  rings: readonly number[],
  { squares: inUse }: Pick<WidthsInUse, "squares">,
  faults: FormulaFaults = {},
): Lemma[] {
  const all = rings
    .flatMap((bits) => [bits - 2, bits - 5].map((belowBits) => ({ bits, belowBits })))
    .filter(({ belowBits }) => belowBits >= 0)
    .flatMap((wire) => rings.map((ringBits) => ({ ...wire, ringBits })));
  return [
    {
      name: "squares",
      statement:
        "squares of wires that are narrower than the ring, signed or not negative, add up to (A - R)^2 mod 2^K with the words that are dealt",
      expected: "proved",
      gates: ["squares"],
      widths: `any n; k, K = ${spanOf(rings)}`,
      queries: [
        residueQuery(),
        ...PAIRS.flatMap(({ u, m }) =>
          everyWidthQueries(`square, u = ${u}, m = ${m}`, squareFormula(word("H"), constant(u), constant(m)), faults),
        ),
      ],
      async conform() {
        for (const widths of all) {
          checkDealt(`squares, ${at(widths)}`, dealtFor(widths), widths.ringBits, exponentsOf(widths));
          await compare(widths, 2 + ((widths.bits + widths.ringBits) % 3), 4);
        }
        for (const widths of inUse) for (const parties of [2, 3, 4]) await compare(widths, parties, 32);
      },
    },
    {
      name: "squares: dealt words too short",
      statement: "sums of squares dealt with a bit less are enough",
      expected: "refuted",
      gates: [],
      widths: `n = 2; ${inUse.map(at).join(", ")}`,
      queries: inUse.map(shortQuery),
      conform: null,
    },
  ];
}
