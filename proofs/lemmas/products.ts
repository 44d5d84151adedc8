/**
 * Products of masked wires mod 2^K (attention): with X = x + r and Y = y + s mod 2^k, k >= K, and dealt shares of sum_j r_j s_j, the
 * parties' terms X_j ([0] Y_j - s_j) - r_j Y_j + [r s] add up to sum_j x_j y_j mod 2^K. Two inner terms stand for any number: the sum over
 * j is linear. ([0]: party 0 alone adds the public part.)
 */
import { mix } from "../../protocols/smpc/gates/mix.ts";
import { scores } from "../../protocols/smpc/gates/scores.ts";
import type { AttentionLayout } from "../../protocols/smpc/plan/attention-layout.ts";
import type { ValueInfo } from "../../protocols/smpc/plan/value.ts";
import { splitWords } from "../../shares/sharing.ts";
import { compareWords, edgeWords, spreadWords } from "../conformance.ts";
import { openShares, runGateCode, type GateResult, type OpenedWire } from "../gate-walk.ts";
import type { Lemma, Query } from "../lemma.ts";
import { add, constant, equal, multiply, negative, subtract, times2, word, type Term } from "../term.ts";
import type { Widths } from "../widths.ts";

type ProductWidths = Widths["products"][number];

/** What may be got wrong, so that a test can see the lemma fail. */
export interface ProductFaults {
  /** Bits that the wires are narrower than the ring of the product. */
  readonly narrowerBits?: number;
}

const PARTIES = [2, 3, 4] as const;
const INNER = 2;

/** A party's share of the product, of its words in the order of the inner index. */
export function productShare(
  party: number,
  words: {
    readonly X: readonly Term[];
    readonly Y: readonly Term[];
    readonly r: readonly Term[];
    readonly s: readonly Term[];
    readonly dealt: Term;
  },
): Term {
  const { X, Y, r, s, dealt } = words;
  return add(
    dealt,
    ...X.map((each, j) =>
      subtract(multiply(each, party === 0 ? subtract(Y[j], s[j]) : negative(s[j])), multiply(r[j], Y[j])),
    ),
  );
}

const inner = (name: string): Term[] => Array.from({ length: INNER }, (_, j) => word(`${name}${j}`));

function productQuery(parties: number, widths: ProductWidths, { narrowerBits = 0 }: ProductFaults = {}): Query {
  const { ringBits } = widths;
  const [x, y, r, s] = ["x", "y", "r", "s"].map(inner);
  const maskShares = Array.from({ length: parties }, (_, party) => ({
    r: inner(`r${party}_`),
    s: inner(`s${party}_`),
  }));
  const dealt = Array.from({ length: parties }, (_, party) => word(`d${party}`));
  // A word mod 2^k is a word mod 2^K for k >= K; for less, it is so up to any multiple of 2^k.
  const opened = (value: Term[], mask: Term[], name: string): Term[] =>
    value.map((each, j) =>
      add(each, mask[j], narrowerBits === 0 ? constant(0) : times2(ringBits - narrowerBits, word(`${name}${j}`))),
    );
  const [X, Y] = [opened(x, r, "aboveX"), opened(y, s, "aboveY")];
  const outs = maskShares.map((masks, party) => productShare(party, { X, Y, ...masks, dealt: dealt[party] }));
  const sumOf = (name: "r" | "s", j: number): Term => add(...maskShares.map((masks) => masks[name][j]));
  return {
    name: `product, n = ${parties}, ${ringBits} bits`,
    wordBits: ringBits,
    assume: [
      ...r.map((each, j) => equal(each, sumOf("r", j))),
      ...s.map((each, j) => equal(each, sumOf("s", j))),
      equal(add(...dealt), add(...r.map((each, j) => multiply(each, s[j])))),
    ],
    claim: equal(add(...outs), add(...x.map((each, j) => multiply(each, y[j])))),
  };
}

/** Four queries on four keys, one head. */
const SIDE = 4;

/** Compares `productShare` with the gates scores and mix. Throws Error where they differ. */
function conform(all: readonly ProductWidths[]): void {
  for (const { aBits, bBits, ringBits } of all)
    for (const gate of ["scores", "mix"] as const) {
      // scores: q [4, 2] times k [4, 2] transposed; mix: p [4, 2 keys] times v [2 keys, 4].
      const isScores = gate === "scores";
      const layout: AttentionLayout = {
        heads: 1,
        kvHeads: 1,
        headDim: isScores ? INNER : SIDE,
        queries: isScores ? SIDE : INNER,
        past: 0,
        causal: false,
        window: null,
      };
      const rows = isScores ? SIDE : INNER;
      const wireOf = (columns: number, bits: number): ValueInfo => ({ kind: "wire", rows, columns, fracBits: 0, bits });
      const [left, right] = isScores ? [INNER, INNER] : [INNER, SIDE];
      const values: ValueInfo[] = [
        isScores ? wireOf(left, aBits) : { ...wireOf(1, aBits), rows: INNER * INNER },
        wireOf(right, bBits),
        { kind: "share", rows: isScores ? SIDE * SIDE : INNER, columns: isScores ? 1 : SIDE, fracBits: 0, ringBits },
      ];
      for (const parties of PARTIES) {
        const random = edgeWords(`${gate} ${aBits} ${bBits} ${parties}`);
        const opened = [0, 1].map((id): OpenedWire => {
          const { bits, rows: height, columns } = values[id] as { bits: number; rows: number; columns: number };
          const x = spreadWords(height * columns, bits, id);
          return openShares(splitWords(x, bits, parties, random), bits, random);
        });
        const setting = { parties, values, random, wires: { 0: opened[0], 1: opened[1] } };
        const result: GateResult = isScores
          ? runGateCode(scores, { gate: "scores", q: 0, k: 1, out: 2, layout }, setting)
          : runGateCode(mix, { gate: "mix", p: 0, v: 1, out: 2, layout }, setting);
        const [dealtName] = result.dealt.keys();
        const columns = SIDE;
        result.outputs.forEach((out, party) =>
          compareWords(`${gate}, n = ${parties}, ${ringBits} bits, party ${party}`, out, ringBits, (at) => {
            const [row, column] = [Math.floor(at / columns), at % columns];
            const named: Record<string, bigint> = { d: result.dealt.get(dealtName)![party][at] };
            for (let j = 0; j < INNER; j++) {
              const a = row * INNER + j;
              const b = isScores ? column * INNER + j : j * SIDE + column;
              named[`X${j}`] = opened[0].masked[a];
              named[`r${j}`] = opened[0].maskShares[party][a];
              named[`Y${j}`] = opened[1].masked[b];
              named[`s${j}`] = opened[1].maskShares[party][b];
            }
            const [X, Y, r, s] = ["X", "Y", "r", "s"].map(inner);
            return { term: productShare(party, { X, Y, r, s, dealt: word("d") }), values: named };
          }),
        );
      }
    }
}

/** The lemma and what must not hold, for these widths. */
export function productLemmas({ products }: Pick<Widths, "products">, faults: ProductFaults = {}): Lemma[] {
  const rings = [...new Map(products.map((each) => [each.ringBits, each])).values()];
  const widths = rings.map(({ ringBits }) => ringBits).join(", ");
  return [
    {
      name: "products",
      statement:
        "what the parties compute from two masked wires and dealt products of masks adds up to the product mod 2^K",
      expected: "proved",
      widths: `n = 2, 3, 4; K = ${widths}`,
      queries: PARTIES.flatMap((parties) => rings.map((each) => productQuery(parties, each, faults))),
      conform: () => conform(products),
    },
    {
      name: "products: wires too narrow",
      statement: "wires of a bit less than the product's ring are enough",
      expected: "refuted",
      widths: `n = 2; K = ${widths}`,
      queries: rings.map((each) => productQuery(2, each, { narrowerBits: 1 })),
      conform: null,
    },
  ];
}
