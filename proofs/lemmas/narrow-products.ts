/**
 * Products of wires that are narrower than the ring (row-scale, multiply). With a = A - R, R = r - 2^k u m and b = B - S,
 * S = s - 2^l v n (lemma lift), what the parties compute adds up to (A - R)(B - S) mod 2^K.
 */
import { multiply as multiplyGate } from "../../protocols/smpc/gates/multiply.ts";
import { rowScale } from "../../protocols/smpc/gates/row-scale.ts";
import type { ValueId, ValueInfo } from "../../protocols/smpc/plan/value.ts";
import type { WidthsOf } from "../../protocols/smpc/plan/proved-widths.ts";
import { publicLift } from "../../protocols/smpc/product/narrow-wire.ts";
import { splitWords } from "../../shares/sharing.ts";
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
import { add, atMost, constant, multiply, negative, subtract, word, type Term } from "../term.ts";
import type { WidthsInUse } from "../widths.ts";
import { someBits, spanOf } from "../sweep.ts";

type ProductWidths = WidthsOf<"multiply">;

/** The gates' formula; P is 2^k, Q is 2^l. */
function productFormula(P: Term, Q: Term): SharedFormula {
  const [A, u, r, c, m, B, v, s, d, n] = ["A", "u", "r", "c", "m", "B", "v", "s", "d", "n"].map(word);
  return {
    share(isFirst, at) {
      const R = add(at("r"), at("carry-a"), negative(multiply(u, at("top-a"))));
      const S = add(at("s"), at("carry-b"), negative(multiply(v, at("top-b"))));
      return add(
        multiply(A, subtract(isFirst ? B : constant(0), S)),
        negative(multiply(R, B)),
        at("mask-a mask-b"),
        negative(multiply(v, at("mask-a top-b"))),
        negative(multiply(u, at("top-a mask-b"))),
        multiply(u, v, at("top-a top-b")),
      );
    },
    values: {
      r: add(r, multiply(P, c)),
      "carry-a": negative(multiply(P, c)),
      "top-a": multiply(P, m),
      s: add(s, multiply(Q, d)),
      "carry-b": negative(multiply(Q, d)),
      "top-b": multiply(Q, n),
      "mask-a mask-b": multiply(r, s),
      "mask-a top-b": multiply(Q, r, n),
      "top-a mask-b": multiply(P, m, s),
      "top-a top-b": multiply(P, Q, m, n),
    },
    truth: multiply(subtract(A, subtract(r, multiply(P, u, m))), subtract(B, subtract(s, multiply(Q, v, n)))),
  };
}

const exponentsOf = ({ aBits, bBits }: ProductWidths) => ({
  "carry-a": aBits,
  "top-a": aBits,
  "carry-b": bBits,
  "top-b": bBits,
  "mask-a mask-b": 0,
  "mask-a top-b": bBits,
  "top-a mask-b": aBits,
  "top-a top-b": aBits + bBits,
});

const power = (bits: number): Term => constant(1n << BigInt(bits));
const at = ({ aBits, bBits, ringBits }: ProductWidths): string => `${aBits} x ${bBits} in ${ringBits}`;

/** a [rows, width], b [rows] and their product. */
const valuesOf = ({ aBits, bBits, ringBits }: ProductWidths, rows: number, width: number): ValueInfo[] => [
  { kind: "wire", rows, columns: width, fracBits: 0, bits: aBits },
  { kind: "wire", rows, columns: 1, fracBits: 0, bits: bBits },
  { kind: "share", rows, columns: width, fracBits: 0, ringBits },
];

const MULTIPLY = { gate: "multiply", a: 0, b: 1, out: 2 } as const;
const WIDTH = 3;
const ROW_SCALE = { gate: "row-scale", x: 0, scale: 1, out: 2, width: WIDTH } as const;

/** Throws Error where a gate deals too few bits for the formula. */
function checkBits(widths: ProductWidths): void {
  const { ringBits } = widths;
  const [one, wide] = [valuesOf(widths, 1, 1), valuesOf(widths, 1, WIDTH)];
  const exponents = exponentsOf(widths);
  const infoOf = (values: readonly ValueInfo[]) => (id: ValueId) => values[id];
  checkDealt(`multiply, ${at(widths)}`, multiplyGate.dealt(MULTIPLY, infoOf(one)), ringBits, exponents);
  checkDealt(`row-scale, ${at(widths)}`, rowScale.dealt(ROW_SCALE, infoOf(wide)), ringBits, exponents);
}

/** Compares the formula with the gates' dealer and parties. Throws Error where they differ. */
async function compare(widths: ProductWidths, parties: number, rows: number): Promise<void> {
  const { aBits, bBits, ringBits } = widths;
  const random = edgeWords(`product ${at(widths)} ${parties}`);
  const open = (count: number, bits: number, salt: number): OpenedWire =>
    openShares(splitWords(spreadWords(count, bits, salt), bits, parties, random), bits, random);
  for (const [name, width] of [
    ["multiply", 1],
    ["row-scale", WIDTH],
  ] as const) {
    const [a, b] = [open(rows * width, aBits, 1), open(rows, bBits, 3)];
    const [liftA, liftB] = [publicLift(a.masked, aBits), publicLift(b.masked, bBits)];
    const row = (i: number): number => Math.floor(i / width);
    const run = {
      what: `${name}, n = ${parties}, ${at(widths)}`,
      values: valuesOf(widths, rows, width),
      parties,
      random,
      wires: { 0: a, 1: b },
      ringBits,
      formula: productFormula(power(aBits), power(bBits)),
      exponents: exponentsOf(widths),
      words: (i: number) => ({
        A: liftA.centred[i],
        u: liftA.low[i],
        r: a.mask[i],
        c: a.carry[i],
        m: a.mask[i] >> BigInt(aBits - 1),
        B: liftB.centred[row(i)],
        v: liftB.low[row(i)],
        s: b.mask[row(i)],
        d: b.carry[row(i)],
        n: b.mask[row(i)] >> BigInt(bBits - 1),
      }),
      own: (party: number, i: number) => ({ r: a.maskShares[party][i], s: b.maskShares[party][row(i)] }),
      placeOf: (array: string, i: number) => (array === "carry-b" || array === "top-b" ? row(i) : i),
    };
    if (name === "multiply") await compareFormula({ ...run, gate: multiplyGate, instruction: MULTIPLY });
    else await compareFormula({ ...run, gate: rowScale, instruction: ROW_SCALE });
  }
}

/** Two parties, in one ring, with words of one array a bit too short. */
function shortQuery(widths: ProductWidths): Query {
  const { aBits, bBits, ringBits } = widths;
  const values = valuesOf(widths, 1, 1);
  const exponents: Readonly<Record<string, number>> = exponentsOf(widths);
  const dealt = multiplyGate.dealt(MULTIPLY, (id) => values[id]);
  const dealtBits = Object.fromEntries(
    dealt.map(({ name, bits }) => [name, exponents[name] + bits - (name === "top-a mask-b" ? 1 : 0)]),
  );
  return oneWidthQuery(`product, n = 2, ${at(widths)}`, productFormula(power(aBits), power(bBits)), ringBits, {
    dealtBits,
    assume: ["u", "m", "v", "n"].map((bit) => atMost(word(bit), 1n)),
  });
}

/** The lemma for all wires and rings of these bits, and what must not hold for the widths in use. */
export function narrowProductLemmas(
  rings: readonly number[],
  inUse: Pick<WidthsInUse, "multiply" | "row-scale">,
  faults: FormulaFaults = {},
): Lemma[] {
  const wires = rings.filter((bits) => bits >= 2);
  const every = function* (a: readonly number[], b: readonly number[]): Generator<ProductWidths> {
    for (const aBits of a) for (const bBits of b) for (const ringBits of rings) yield { aBits, bBits, ringBits };
  };
  const used = [...inUse.multiply, ...inUse["row-scale"]];
  const short = used.filter(({ aBits, ringBits }) => ringBits > aBits + 1);
  return [
    {
      name: "narrow products",
      statement:
        "products of wires that are narrower than the ring add up to (A - R)(B - S) mod 2^K with the words that are dealt",
      expected: "proved",
      gates: ["multiply", "row-scale"],
      widths: `any n; k, l, K = ${spanOf(rings)}`,
      queries: everyWidthQueries("product", productFormula(word("P"), word("Q")), faults),
      async conform() {
        for (const widths of every(wires, wires)) checkBits(widths);
        for (const widths of every(someBits(wires), someBits(wires)))
          await compare(widths, 2 + ((widths.aBits + widths.ringBits) % 3), 4);
        for (const widths of used) for (const parties of [2, 3, 4]) await compare(widths, parties, 32);
      },
    },
    {
      name: "narrow products: dealt words too short",
      statement: "dealt words of a bit less are enough",
      expected: "refuted",
      gates: [],
      widths: `n = 2; ${short.map(at).join(", ")}`,
      queries: short.map(shortQuery),
      conform: null,
    },
  ];
}
