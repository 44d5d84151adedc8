/**
 * Extend: a wire of k bits becomes shares mod 2^K. With x = A - R, R = r - 2^k u m (lemma lift), mask shares that add up to
 * r + 2^k carry, and dealt words that add up to -carry and m, the parties' shares add up to A - R mod 2^K.
 */
import { extend } from "../../protocols/smpc/gates/extend.ts";
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
import { add, atMost, constant, multiply, negative, subtract, word, type Term } from "../term.ts";
import type { WidthsInUse } from "../widths.ts";
import { spanOf } from "../sweep.ts";

type ExtendWidths = WidthsOf<"extend">;

/** The gate's formula; P is 2^k. */
function extendFormula(P: Term): SharedFormula {
  const [A, u, r, c, m] = ["A", "u", "r", "c", "m"].map(word);
  return {
    share: (isFirst, at) =>
      subtract(isFirst ? A : constant(0), add(at("r"), at("carry"), negative(multiply(u, at("top"))))),
    values: { r: add(r, multiply(P, c)), carry: negative(multiply(P, c)), top: multiply(P, m) },
    truth: subtract(A, subtract(r, multiply(P, u, m))),
  };
}

const exponentsOf = ({ bits }: ExtendWidths) => ({ carry: bits, top: bits });
const isNonNegative = ({ bits, belowBits }: ExtendWidths): boolean => belowBits === bits - 5;
const instructionOf = (widths: ExtendWidths): InstructionOf<"extend"> => ({
  gate: "extend",
  x: 0,
  out: 1,
  ...(isNonNegative(widths) ? { nonNegative: true } : {}),
});
const valuesOf = ({ bits, ringBits }: ExtendWidths, rows: number): ValueInfo[] => [
  { kind: "wire", rows, columns: 1, fracBits: 0, bits },
  { kind: "share", rows, columns: 1, fracBits: 0, ringBits },
];
const at = (widths: ExtendWidths): string =>
  `${widths.bits}${isNonNegative(widths) ? " non-negative" : ""} to ${widths.ringBits}`;

function dealtFor(widths: ExtendWidths) {
  const values = valuesOf(widths, 1);
  return extend.dealt(instructionOf(widths), (id) => values[id]);
}

/** Compares the formula with the gate's dealer and parties. Throws Error where they differ. */
async function compare(widths: ExtendWidths, parties: number, rows: number): Promise<void> {
  const { bits, ringBits } = widths;
  const random = edgeWords(`extend ${at(widths)} ${parties}`);
  const wire = openShares(splitWords(spreadWords(rows, bits, 1), bits, parties, random), bits, random);
  const lift = isNonNegative(widths) ? publicLiftNonNegative : publicLift;
  const { centred: A, low: u } = lift(wire.masked, bits);
  await compareFormula({
    what: `extend, n = ${parties}, ${at(widths)}`,
    gate: extend,
    instruction: instructionOf(widths),
    values: valuesOf(widths, rows),
    parties,
    random,
    wires: { 0: wire },
    ringBits,
    formula: extendFormula(constant(1n << BigInt(bits))),
    exponents: exponentsOf(widths),
    words: (i) => ({ A: A[i], u: u[i], r: wire.mask[i], c: wire.carry[i], m: wire.mask[i] >> BigInt(bits - 1) }),
    own: (party, i) => ({ r: wire.maskShares[party][i] }),
  });
}

/** Two parties, in one ring, with dealt words a bit too short. */
function shortQuery(widths: ExtendWidths): Query {
  const { bits, ringBits } = widths;
  const dealtBits = Object.fromEntries(dealtFor(widths).map((array) => [array.name, array.bits + bits - 1]));
  return oneWidthQuery(`sum, n = 2, ${at(widths)}`, extendFormula(constant(1n << BigInt(bits))), ringBits, {
    dealtBits,
    assume: ["u", "m"].map((bit) => atMost(word(bit), 1n)),
  });
}

/** The lemma for all wires and rings of these bits, and what must not hold for the widths in use. */
export function extendLemmas(
  rings: readonly number[],
  { extend: inUse }: Pick<WidthsInUse, "extend">,
  faults: FormulaFaults = {},
): Lemma[] {
  const all = rings
    .flatMap((bits) => [bits - 2, bits - 5].map((belowBits) => ({ bits, belowBits })))
    .filter(({ belowBits }) => belowBits >= 0)
    .flatMap((wire) => rings.map((ringBits) => ({ ...wire, ringBits })));
  const short = inUse.filter((widths) => dealtFor(widths).some(({ bits }) => bits > 1));
  return [
    {
      name: "extend",
      statement:
        "shares of a wire of k bits, signed or not negative, read in a larger ring with the words that are dealt, add up to A - R mod 2^K",
      expected: "proved",
      gates: ["extend"],
      widths: `any n; k, K = ${spanOf(rings)}`,
      queries: everyWidthQueries("extend", extendFormula(word("P")), faults),
      async conform() {
        for (const widths of all) {
          checkDealt(`extend, ${at(widths)}`, dealtFor(widths), widths.ringBits, exponentsOf(widths));
          await compare(widths, 2 + ((widths.bits + widths.ringBits) % 3), 8);
        }
        for (const widths of inUse) for (const parties of [2, 3, 4]) await compare(widths, parties, 64);
      },
    },
    {
      name: "extend: dealt words too short",
      statement: "dealt words of a bit less are enough",
      expected: "refuted",
      gates: [],
      widths: `n = 2; ${short.map(at).join(", ")}`,
      queries: short.map(shortQuery),
      conform: null,
    },
  ];
}
