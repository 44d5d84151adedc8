/**
 * Square scale: x^2 times a number of its row, mod 2^K. With x = A - R, R = r - 2^k u m and scale = B - S, S = s - 2^l v n (lemma lift),
 * and shares of x^2, what the parties compute adds up to (A - R)^2 (B - S), less what r^2 s was rounded by: it is dealt without its t
 * lowest bits, so that 2^t times it is r^2 s + e mod 2^K, |e| <= 2^(t-1) (lemma rounding). u and m are bits: a question for each pair.
 */
import { squareScale } from "../../protocols/smpc/gates/square-scale.ts";
import type { ValueInfo } from "../../protocols/smpc/plan/value.ts";
import type { InstructionOf } from "../../protocols/smpc/plan/instruction.ts";
import type { WidthsOf } from "../../protocols/smpc/plan/proved-widths.ts";
import { publicLift, publicLiftNonNegative } from "../../protocols/smpc/product/narrow-wire.ts";
import { splitWords } from "../../shares/sharing.ts";
import type { Words } from "../../shares/words.ts";
import { compareFormula } from "../compare-formula.ts";
import { edgeWords, spreadWords } from "../conformance.ts";
import { openShares, type OpenedWire } from "../gate-walk.ts";
import type { Lemma, Query } from "../lemma.ts";
import {
  checkDealt,
  everyWidthQueries,
  oneWidthQuery,
  type FormulaFaults,
  type SharedFormula,
} from "../shared-formula.ts";
import { someBits, spanOf, upTo } from "../sweep.ts";
import { add, atMost, constant, multiply, negative, subtract, times2, word, type Term } from "../term.ts";
import type { WidthsInUse } from "../widths.ts";

type ScaleWidths = Pick<WidthsOf<"square-scale">, "bits" | "scaleBits" | "ringBits" | "droppedBits">;

/** The gate's formula; H is 2^(k-1), Q is 2^l. */
function scaleFormula(H: Term, Q: Term, u: Term, m: Term): SharedFormula {
  const [A, r, B, v, s, d, n, e] = ["A", "r", "B", "v", "s", "d", "n", "e"].map(word);
  const P = times2(1, H);
  const x = add(A, negative(r), multiply(P, u, m));
  const half = multiply(m, subtract(r, H));
  return {
    share(_, at) {
      // F(q) of the words dealt with q.
      const terms = (q: string): Term =>
        add(
          at(`square ${q}`),
          negative(multiply(A, at(`mask ${q}`))),
          negative(multiply(u, subtract(at(`half ${q}`), multiply(A, at(`top ${q}`))))),
        );
      const S = add(at("s"), at("carry"), negative(multiply(v, at("top"))));
      return add(
        multiply(B, at("square")),
        negative(multiply(A, A, S)),
        negative(terms("mask")),
        multiply(v, terms("top")),
      );
    },
    values: {
      s: add(s, multiply(Q, d)),
      carry: negative(multiply(Q, d)),
      top: multiply(Q, n),
      square: multiply(x, x),
      "square mask": add(multiply(r, r, s), e),
      "mask mask": times2(1, multiply(r, s)),
      "top mask": times2(1, multiply(P, m, s)),
      "half mask": times2(1, multiply(P, half, s)),
      "square top": multiply(Q, r, r, n),
      "mask top": times2(1, multiply(Q, r, n)),
      "top top": times2(1, multiply(P, Q, m, n)),
      "half top": times2(1, multiply(P, Q, half, n)),
    },
    truth: subtract(multiply(x, x, subtract(B, subtract(s, multiply(Q, v, n)))), e),
  };
}

const exponentsOf = ({ bits, scaleBits, droppedBits }: ScaleWidths) => ({
  carry: scaleBits,
  top: scaleBits,
  "square mask": droppedBits,
  "mask mask": 1,
  "top mask": bits + 1,
  "half mask": bits + 1,
  "square top": scaleBits,
  "mask top": scaleBits + 1,
  "top top": scaleBits + bits + 1,
  "half top": scaleBits + bits + 1,
});

const at = ({ bits, scaleBits, ringBits, droppedBits }: ScaleWidths): string =>
  `${bits} squared x ${scaleBits} in ${ringBits}${droppedBits > 0 ? `, ${droppedBits} dropped` : ""}`;

/** Entries, their squares, one number a row, and the product. */
const valuesOf = ({ bits, scaleBits, ringBits }: ScaleWidths, rows: number): ValueInfo[] => {
  const share: ValueInfo = { kind: "share", rows: rows * KEYS, columns: 1, fracBits: 0, ringBits };
  return [
    { kind: "wire", rows: rows * KEYS, columns: 1, fracBits: 0, bits },
    share,
    { kind: "wire", rows, columns: 1, fracBits: 0, bits: scaleBits },
    share,
  ];
};

const KEYS = 2;

const instructionOf = ({ droppedBits }: ScaleWidths, queries: number): InstructionOf<"square-scale"> => ({
  gate: "square-scale",
  x: 0,
  square: 1,
  scale: 2,
  out: 3,
  layout: { heads: 1, kvHeads: 1, headDim: 1, queries, past: KEYS - 1, causal: true, window: KEYS },
  droppedBits,
});

function dealtFor(widths: ScaleWidths) {
  const values = valuesOf(widths, 1);
  return squareScale.dealt(instructionOf(widths, 1), (id) => values[id]);
}

/** r^2 s with its lowest bits rounded away, less r^2 s. */
function roundedBy(r: bigint, s: bigint, { ringBits, droppedBits }: ScaleWidths): bigint {
  if (droppedBits === 0) return 0n;
  const [product, dropped] = [r * r * s, BigInt(droppedBits)];
  const kept = BigInt.asUintN(ringBits, product + (1n << (dropped - 1n))) >> dropped;
  return (kept << dropped) - product;
}

/** Compares the formula with the gate's dealer and parties. Throws Error where they differ. */
async function compare(widths: ScaleWidths, parties: number, rows: number): Promise<void> {
  const { bits, scaleBits, ringBits } = widths;
  const random = edgeWords(`square scale ${at(widths)} ${parties}`);
  const open = (count: number, width: number, salt: number): OpenedWire =>
    openShares(splitWords(spreadWords(count, width, salt), width, parties, random), width, random);
  const [x, scale] = [open(rows * KEYS, bits, 1), open(rows, scaleBits, 3)];
  // Of any words: what they are squares of is in no formula of a party.
  const square: Words = spreadWords(rows * KEYS, ringBits, 5);
  const shares = splitWords(square, ringBits, parties, random);
  const [lift, scaleLift] = [publicLiftNonNegative(x.masked, bits), publicLift(scale.masked, scaleBits)];
  const row = (i: number): number => Math.floor(i / KEYS);
  const half = BigInt(bits - 1);
  await compareFormula({
    what: `square-scale, n = ${parties}, ${at(widths)}`,
    gate: squareScale,
    instruction: instructionOf(widths, rows),
    values: valuesOf(widths, rows),
    parties,
    random,
    wires: { 0: x, 2: scale },
    shares: { 1: shares },
    ringBits,
    formula: scaleFormula(constant(1n << half), constant(1n << BigInt(scaleBits)), word("u"), word("m")),
    exponents: exponentsOf(widths),
    words: (i) => ({
      A: lift.centred[i],
      u: lift.low[i],
      r: x.mask[i],
      m: x.mask[i] >> half,
      B: scaleLift.centred[row(i)],
      v: scaleLift.low[row(i)],
      s: scale.mask[row(i)],
      d: scale.carry[row(i)],
      n: scale.mask[row(i)] >> BigInt(scaleBits - 1),
      e: roundedBy(x.mask[i], scale.mask[row(i)], widths),
    }),
    own: (party, i) => ({ s: scale.maskShares[party][row(i)], square: shares[party][i] }),
    placeOf: (array, i) => (array === "carry" || array === "top" ? row(i) : i),
  });
}

const PAIRS = [0, 1].flatMap((u) => [0, 1].map((m) => ({ u, m })));

/** Two parties, in one ring, with one array's words a bit too short. */
function shortQuery(widths: ScaleWidths): Query {
  const { bits, scaleBits, ringBits } = widths;
  const formula = scaleFormula(
    constant(1n << BigInt(bits - 1)),
    constant(1n << BigInt(scaleBits)),
    constant(1),
    constant(1),
  );
  return oneWidthQuery(`square scale, n = 2, ${at(widths)}`, formula, ringBits, {
    dealtBits: { "half mask": ringBits - 1 },
    assume: ["v", "n"].map((bit) => atMost(word(bit), 1n)),
  });
}

/** The lemma for all wires and rings of these bits, and what must not hold for the widths in use. */
export function squareScaleLemmas(
  rings: readonly number[],
  { "square-scale": inUse }: Pick<WidthsInUse, "square-scale">,
  faults: FormulaFaults = {},
): Lemma[] {
  const every = function* (wires: readonly number[], drops: (ringBits: number) => readonly number[]) {
    for (const bits of wires.filter((each) => each >= 5))
      for (const scaleBits of wires.filter((each) => each >= 2))
        for (const ringBits of rings)
          for (const droppedBits of drops(ringBits)) yield { bits, scaleBits, ringBits, droppedBits };
  };
  return [
    {
      name: "square-scale",
      statement:
        "squares of wires that are not negative, times a number of their row, add up to (A - R)^2 (B - S) mod 2^K with the words that are dealt, off by the rounding of r^2 s",
      expected: "proved",
      gates: ["square-scale"],
      widths: `any n; k, l, K = ${spanOf(rings)}; t < K`,
      queries: PAIRS.flatMap(({ u, m }) =>
        everyWidthQueries(
          `square scale, u = ${u}, m = ${m}`,
          scaleFormula(word("H"), word("Q"), constant(u), constant(m)),
          faults,
        ),
      ),
      async conform() {
        // Bits of one array alone depend on how many are dropped.
        const fewer = [...every(rings, (ringBits) => [0, ringBits - 1])];
        const dropped = [...every(someBits(rings), (ringBits) => upTo(0, ringBits - 1))];
        for (const widths of [...fewer, ...dropped])
          checkDealt(`square-scale, ${at(widths)}`, dealtFor(widths), widths.ringBits, exponentsOf(widths));
        for (const widths of every(someBits(rings), (ringBits) => (ringBits > 3 ? [ringBits % 3] : [0])))
          await compare(widths, 2 + ((widths.bits + widths.ringBits) % 3), 2);
        for (const widths of inUse) for (const parties of [2, 3, 4]) await compare(widths, parties, 16);
      },
    },
    {
      name: "square-scale: dealt words too short",
      statement: "words of m (r - 2^(k-1)) s dealt with a bit less are enough",
      expected: "refuted",
      gates: [],
      widths: `n = 2; ${inUse.map(at).join(", ")}`,
      queries: inUse.map(shortQuery),
      conform: null,
    },
  ];
}
