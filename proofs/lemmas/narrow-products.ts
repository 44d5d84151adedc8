/**
 * Products of wires that are narrower than the ring (row-scale, multiply, squares). With a = A - R, R = r - 2^k u m and b = B - S,
 * S = s - 2^l v n (lemma extend), what the parties compute adds up to (A - R)(B - S) mod 2^K, and for squares to (A - R)^2, with dealt
 * words of as few bits as the gates deal.
 */
import { multiply as multiplyGate } from "../../protocols/smpc/gates/multiply.ts";
import { squares as squaresGate } from "../../protocols/smpc/gates/squares.ts";
import type { DealtWords } from "../../protocols/smpc/plan/gate.ts";
import type { ValueId, ValueInfo } from "../../protocols/smpc/plan/value.ts";
import { splitWords } from "../../shares/sharing.ts";
import { compareWords, edgeWords, spreadWords } from "../conformance.ts";
import { openShares, runGateCode, type GateResult, type OpenedWire } from "../gate-walk.ts";
import type { Lemma, Query } from "../lemma.ts";
import { add, constant, equal, multiply, negative, subtract, times2, word, type Term } from "../term.ts";
import type { Widths } from "../widths.ts";
import { centred, lifted, lowHalf } from "./extend.ts";

type ProductWidths = Widths["narrowProducts"][number];
type SquareWidths = Widths["squares"][number];

/** What may be got wrong, so that a test can see the lemma fail: bits that one dealt array lacks. */
export interface NarrowFaults {
  readonly array?: string;
  readonly missingBits?: number;
}

const PARTIES = [2, 3, 4] as const;
const PRODUCT = { gate: "multiply", a: 0, b: 1, out: 2 } as const;
const SQUARES = { gate: "squares", x: 0, out: 1, width: 1 } as const;

/** A party's word of a dealt array; zero where nothing is dealt, because the power of two before it is none of the ring's. */
type Dealt = (name: string) => Term;

/** A party's share of R: r_i + 2^k (c_i - u m_i). */
const maskShare = (mask: Term, bits: number, low: Term, carry: Term, top: Term): Term =>
  add(mask, times2(bits, subtract(carry, multiply(low, top))));

/** Public words and a party's mask shares. */
interface Operands {
  readonly A: Term;
  readonly u: Term;
  readonly r: Term;
  readonly B: Term;
  readonly v: Term;
  readonly s: Term;
}

/** A party's share of the product. */
export function narrowProductShare(party: number, { aBits, bBits }: ProductWidths, at: Operands, dealt: Dealt): Term {
  const { A, u, r, B, v, s } = at;
  const R = maskShare(r, aBits, u, dealt("carry-a"), dealt("top-a"));
  const S = maskShare(s, bBits, v, dealt("carry-b"), dealt("top-b"));
  return add(
    multiply(A, party === 0 ? subtract(B, S) : negative(S)),
    negative(multiply(R, B)),
    dealt("mask-a mask-b"),
    negative(times2(bBits, multiply(v, dealt("mask-a top-b")))),
    negative(times2(aBits, multiply(u, dealt("top-a mask-b")))),
    times2(aBits + bBits, multiply(u, v, dealt("top-a top-b"))),
  );
}

/** A party's share of the square. */
export function squareShare(
  party: number,
  { bits }: SquareWidths,
  { A, u, r }: Pick<Operands, "A" | "u" | "r">,
  dealt: Dealt,
): Term {
  const R = maskShare(r, bits, u, dealt("carry"), dealt("top"));
  const rest = multiply(u, subtract(times2(bits - 1, dealt("top")), dealt("top mask")));
  const square = multiply(A, add(party === 0 ? A : constant(0), multiply(constant(-2), R)));
  return add(square, times2(bits + 1, rest), dealt("squares"));
}

const identifier = (name: string): string => name.replaceAll(/[^a-z]/g, "_");

/** Shares of dealt words: each array's words add up to its value mod 2^bits, with anything above. */
function dealtShares(
  parties: number,
  arrays: readonly DealtWords[],
  valueOf: (name: string) => Term,
  { array, missingBits = 0 }: NarrowFaults,
) {
  const names = new Set(arrays.map(({ name }) => name));
  const share =
    (party: number): Dealt =>
    (name) =>
      names.has(name) ? word(`${identifier(name)}_${party}`) : constant(0);
  return {
    share,
    assume: arrays.map(({ name, bits }) => {
      const width = bits - (name === array ? missingBits : 0);
      const all = Array.from({ length: parties }, (_, party) => share(party)(name));
      return equal(add(...all), add(valueOf(name), times2(width, word(`above_${identifier(name)}`))));
    }),
  };
}

const each = (name: string, parties: number): Term[] =>
  Array.from({ length: parties }, (_, party) => word(`${name}${party}`));

function productValues({ aBits, bBits, ringBits }: ProductWidths, rows = 1): ValueInfo[] {
  const wire = (bits: number): ValueInfo => ({ kind: "wire", rows, columns: 1, fracBits: 0, bits });
  return [wire(aBits), wire(bBits), { kind: "share", rows, columns: 1, fracBits: 0, ringBits }];
}

const squareValues = ({ bits, ringBits }: SquareWidths, rows = 1): ValueInfo[] => [
  { kind: "wire", rows, columns: 1, fracBits: 0, bits },
  { kind: "share", rows, columns: 1, fracBits: 0, ringBits },
];

const infoOf =
  (values: readonly ValueInfo[]) =>
  (id: ValueId): ValueInfo =>
    values[id];

function productQuery(parties: number, widths: ProductWidths, faults: NarrowFaults = {}): Query {
  const { aBits, bBits, ringBits } = widths;
  const [A, u, r, m, carryA, B, v, s, n, carryB] = ["A", "u", "r", "m", "carryA", "B", "v", "s", "n", "carryB"].map(
    word,
  );
  const values: Readonly<Record<string, Term>> = {
    "carry-a": negative(carryA),
    "top-a": m,
    "carry-b": negative(carryB),
    "top-b": n,
    "mask-a mask-b": multiply(r, s),
    "mask-a top-b": multiply(r, n),
    "top-a mask-b": multiply(m, s),
    "top-a top-b": multiply(m, n),
  };
  const arrays = multiplyGate.dealt(PRODUCT, infoOf(productValues(widths)));
  const dealt = dealtShares(parties, arrays, (name) => values[name], faults);
  const [masksA, masksB] = [each("r", parties), each("s", parties)];
  const outs = masksA.map((mask, party) =>
    narrowProductShare(party, widths, { A, u, r: mask, B, v, s: masksB[party] }, dealt.share(party)),
  );
  return {
    name: `product, n = ${parties}, ${aBits} x ${bBits} in ${ringBits}`,
    wordBits: ringBits,
    assume: [
      // r and s are last to be eliminated, so that their definitions are polynomials of the shares.
      equal(r, subtract(add(...masksA), times2(aBits, carryA))),
      equal(s, subtract(add(...masksB), times2(bBits, carryB))),
      ...dealt.assume,
    ],
    claim: equal(add(...outs), multiply(subtract(A, lifted(r, u, m, aBits)), subtract(B, lifted(s, v, n, bBits)))),
  };
}

/** u and m are bits: one query a pair of them. */
function squareQueries(parties: number, widths: SquareWidths, faults: NarrowFaults = {}): Query[] {
  const { bits, ringBits } = widths;
  const [A, r, carry] = ["A", "r", "carry"].map(word);
  const masks = each("r", parties);
  const arrays = squaresGate.dealt(SQUARES, infoOf(squareValues(widths)));
  return [0, 1].flatMap((u) =>
    [0, 1].map((m) => {
      const values: Readonly<Record<string, Term>> = {
        carry: negative(carry),
        top: constant(m),
        "top mask": multiply(constant(m), r),
        squares: multiply(r, r),
      };
      const dealt = dealtShares(parties, arrays, (name) => values[name], faults);
      const outs = masks.map((mask, party) =>
        squareShare(party, widths, { A, u: constant(u), r: mask }, dealt.share(party)),
      );
      const a = subtract(A, lifted(r, constant(u), constant(m), bits));
      return {
        name: `square, n = ${parties}, ${bits} in ${ringBits}, u = ${u}, m = ${m}`,
        wordBits: ringBits,
        assume: [equal(r, subtract(add(...masks), times2(bits, carry))), ...dealt.assume],
        claim: equal(add(...outs), multiply(a, a)),
      };
    }),
  );
}

const COUNT = 64;

/** Compares the shares above with what the gates multiply and squares compute. Throws Error where they differ. */
function conform(products: readonly ProductWidths[], squares: readonly SquareWidths[]): void {
  const random = edgeWords("narrow products");
  const open = (bits: number, parties: number, salt: number): OpenedWire =>
    openShares(splitWords(spreadWords(COUNT, bits, salt), bits, parties, random), bits, random);
  const publicWords = (name: string, bits: number): [Term, Term] => [
    centred(word(name), bits),
    lowHalf(word(name), bits),
  ];
  const dealtOf =
    (result: GateResult): Dealt =>
    (name) =>
      result.dealt.has(name) ? word(name) : constant(0);
  const dealtAt = (result: GateResult, party: number, i: number): Record<string, bigint> =>
    Object.fromEntries([...result.dealt].map(([name, shares]) => [name, shares[party][i]]));
  for (const parties of PARTIES) {
    for (const widths of products) {
      const [a, b] = [open(widths.aBits, parties, 1), open(widths.bBits, parties, 3)];
      const values = productValues(widths, COUNT);
      const result = runGateCode(multiplyGate, PRODUCT, { parties, values, random, wires: { 0: a, 1: b } });
      const [[A, u], [B, v]] = [publicWords("X", widths.aBits), publicWords("Y", widths.bBits)];
      const operands = { A, u, r: word("r"), B, v, s: word("s") };
      result.outputs.forEach((out, party) => {
        const term = narrowProductShare(party, widths, operands, dealtOf(result));
        compareWords(`multiply, n = ${parties}, party ${party}`, out, widths.ringBits, (i) => ({
          term,
          values: {
            ...dealtAt(result, party, i),
            X: a.masked[i],
            r: a.maskShares[party][i],
            Y: b.masked[i],
            s: b.maskShares[party][i],
          },
        }));
      });
    }
    for (const widths of squares) {
      const x = open(widths.bits, parties, 1);
      const values = squareValues(widths, COUNT);
      const result = runGateCode(squaresGate, SQUARES, { parties, values, random, wires: { 0: x } });
      const [A, u] = publicWords("X", widths.bits);
      result.outputs.forEach((out, party) => {
        const term = squareShare(party, widths, { A, u, r: word("r") }, dealtOf(result));
        compareWords(`squares, n = ${parties}, party ${party}`, out, widths.ringBits, (i) => ({
          term,
          values: { ...dealtAt(result, party, i), X: x.masked[i], r: x.maskShares[party][i] },
        }));
      });
    }
  }
}

/** The lemmas and what must not hold, for these widths. */
export function narrowProductLemmas(
  { narrowProducts, squares }: Pick<Widths, "narrowProducts" | "squares">,
  faults: NarrowFaults = {},
): Lemma[] {
  const widths = [
    ...narrowProducts.map(({ aBits, bBits, ringBits }) => `${aBits} x ${bBits} in ${ringBits}`),
    ...squares.map(({ bits, ringBits }) => `${bits} squared in ${ringBits}`),
  ].join(", ");
  const short = { array: "top-a mask-b", missingBits: 1 };
  const extended = narrowProducts.filter(({ aBits, ringBits }) => ringBits > aBits + 1);
  return [
    {
      name: "narrow products",
      statement:
        "products and squares of wires that are narrower than the ring are right mod 2^K with the words that the gates deal",
      expected: "proved",
      widths: `n = 2, 3, 4; ${widths}`,
      queries: PARTIES.flatMap((parties) => [
        ...narrowProducts.map((one) => productQuery(parties, one, faults)),
        ...squares.flatMap((one) => squareQueries(parties, one, faults)),
      ]),
      conform: () => conform(narrowProducts, squares),
    },
    {
      name: "narrow products: dealt words too short",
      statement: "dealt words of a bit less are enough",
      expected: "refuted",
      widths: `n = 2; ${extended.map(({ aBits, bBits, ringBits }) => `${aBits} x ${bBits} in ${ringBits}`).join(", ")}`,
      queries: extended.map((one) => productQuery(2, one, short)),
      conform: null,
    },
  ];
}
