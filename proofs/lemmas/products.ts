/**
 * Products of masked wires mod 2^K (scores, mix): with X = x + r and Y = y + s mod 2^k, k >= K, and dealt shares of sum_j r_j s_j, the
 * parties' terms X_j ([0] Y_j - s_j) - r_j Y_j + [r s] add up to sum_j x_j y_j mod 2^K. Two inner terms stand for any number: the sum over
 * j is linear. ([0]: party 0 alone adds the public part.)
 */
import { mix } from "../../protocols/smpc/gates/mix.ts";
import { scores } from "../../protocols/smpc/gates/scores.ts";
import type { AttentionLayout } from "../../protocols/smpc/plan/attention-layout.ts";
import type { ValueInfo } from "../../protocols/smpc/plan/value.ts";
import { splitWords } from "../../shares/sharing.ts";
import { compareFormula } from "../compare-formula.ts";
import { edgeWords, spreadWords } from "../conformance.ts";
import { openShares, type OpenedWire } from "../gate-walk.ts";
import type { Lemma, Query } from "../lemma.ts";
import {
  everyWidthQueries,
  MODULUS,
  oneWidthQuery,
  type FormulaFaults,
  type SharedFormula,
} from "../shared-formula.ts";
import { spanOf } from "../sweep.ts";
import { add, constant, multiply, negative, subtract, times2, word, type Term } from "../term.ts";
import type { WidthsInUse } from "../widths.ts";

const PARTIES = [2, 3, 4] as const;
const INNER = 2;

const inner = (name: string): Term[] => Array.from({ length: INNER }, (_, j) => word(`${name}${j}`));

/**
 * The gates' formula, of any public words X and Y. `above`: what X and Y have beyond x + r and y + s, words of a wire of k bits in a ring
 * of K; multiples of 2^K where k >= K.
 */
function attentionFormula(above: { readonly X: readonly Term[]; readonly Y: readonly Term[] }): SharedFormula {
  const [x, y, r, s] = ["x", "y", "r", "s"].map(inner);
  const [X, Y] = [x.map((each, j) => add(each, r[j], above.X[j])), y.map((each, j) => add(each, s[j], above.Y[j]))];
  return {
    ...attentionShare(X, Y),
    values: {
      ...Object.fromEntries([...r.map((each, j) => [`r${j}`, each]), ...s.map((each, j) => [`s${j}`, each])]),
      "mask mask": add(...r.map((each, j) => multiply(each, s[j]))),
    },
    truth: add(...x.map((each, j) => multiply(each, y[j]))),
  };
}

/** What a party computes of the public words X and Y. */
const attentionShare = (X: readonly Term[], Y: readonly Term[]): Pick<SharedFormula, "share"> => ({
  share: (isFirst, at) =>
    add(
      at("mask mask"),
      ...X.flatMap((each, j) => [
        multiply(each, subtract(isFirst ? Y[j] : constant(0), at(`s${j}`))),
        negative(multiply(at(`r${j}`), Y[j])),
      ]),
    ),
});

/** The formula of wires that are as wide as the ring, or wider: what they have above it is a multiple of M, and so is what comes of it. */
function wideFormula(): SharedFormula {
  const [x, y, h, g] = ["x", "y", "h", "g"].map(inner);
  const multiples = (words: readonly Term[]): Term[] => words.map((each) => multiply(MODULUS, each));
  const formula = attentionFormula({ X: multiples(h), Y: multiples(g) });
  const beyond = x.map((each, j) => add(multiply(each, g[j]), multiply(y[j], h[j]), multiply(MODULUS, h[j], g[j])));
  return { ...formula, truth: add(formula.truth, multiply(MODULUS, add(...beyond))) };
}

/** Two parties, in one ring, of wires that are a bit narrower. */
function narrowerQuery(ringBits: number): Query {
  const above = (name: string): Term[] => inner(name).map((each) => times2(ringBits - 1, each));
  return oneWidthQuery(
    `product, n = 2, ${ringBits} bits`,
    attentionFormula({ X: above("h"), Y: above("g") }),
    ringBits,
    { dealtBits: {}, assume: [] },
  );
}

/** Four queries on four keys, one head. */
const SIDE = 4;

/** Compares the formula with the gates scores and mix. Throws Error where they differ. */
async function compare(gate: "scores" | "mix", bits: number, ringBits: number, parties: number): Promise<void> {
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
  const wireOf = (height: number, columns: number): ValueInfo => ({
    kind: "wire",
    rows: height,
    columns,
    fracBits: 0,
    bits,
  });
  const values: ValueInfo[] = [
    isScores ? wireOf(rows, INNER) : wireOf(INNER * INNER, 1),
    wireOf(rows, isScores ? INNER : SIDE),
    { kind: "share", rows: isScores ? SIDE * SIDE : INNER, columns: isScores ? 1 : SIDE, fracBits: 0, ringBits },
  ];
  const random = edgeWords(`${gate} ${bits} ${ringBits} ${parties}`);
  const [a, b] = values.slice(0, 2).map(({ rows: height, columns }, id): OpenedWire => {
    const x = spreadWords(height * columns, bits, id);
    return openShares(splitWords(x, bits, parties, random), bits, random);
  });
  /** Words of the inner index for an element of the output. */
  const named = (left: BigUint64Array, right: BigUint64Array, [l, r]: readonly [string, string], i: number) => {
    const [row, column] = [Math.floor(i / SIDE), i % SIDE];
    const found: Record<string, bigint> = {};
    for (let j = 0; j < INNER; j++) {
      found[`${l}${j}`] = left[row * INNER + j];
      found[`${r}${j}`] = right[isScores ? column * INNER + j : j * SIDE + column];
    }
    return found;
  };
  const run = {
    what: `${gate}, n = ${parties}, ${ringBits} bits`,
    values,
    parties,
    random,
    wires: { 0: a, 1: b },
    ringBits,
    formula: { ...attentionFormula({ X: inner("h"), Y: inner("g") }), ...attentionShare(inner("X"), inner("Y")) },
    exponents: { "mask mask": 0 },
    words: (i: number) => ({ ...named(a.masked, b.masked, ["X", "Y"], i), ...named(a.mask, b.mask, ["r", "s"], i) }),
    own: (party: number, i: number) => named(a.maskShares[party], b.maskShares[party], ["r", "s"], i),
  };
  await (isScores
    ? compareFormula({ ...run, gate: scores, instruction: { gate: "scores", q: 0, k: 1, out: 2, layout } })
    : compareFormula({ ...run, gate: mix, instruction: { gate: "mix", p: 0, v: 1, out: 2, layout } }));
}

/** The lemma for all rings, and what must not hold for the widths in use. */
export function productLemmas(
  rings: readonly number[],
  inUse: Pick<WidthsInUse, "scores" | "mix">,
  faults: FormulaFaults = {},
): Lemma[] {
  const used = [...new Set([...inUse.scores, ...inUse.mix].map(({ ringBits }) => ringBits))];
  return [
    {
      name: "products",
      statement:
        "what the parties compute from two masked wires and dealt products of masks adds up to the product mod 2^K",
      expected: "proved",
      gates: ["scores", "mix"],
      widths: `any n; K = ${spanOf(rings)}, wires of K bits or more`,
      queries: everyWidthQueries("product", wideFormula(), faults),
      async conform() {
        for (const ringBits of rings)
          for (const gate of ["scores", "mix"] as const)
            for (const parties of PARTIES)
              await compare(gate, Math.min(64, ringBits + (ringBits % 3)), ringBits, parties);
      },
    },
    {
      name: "products: wires too narrow",
      statement: "wires of a bit less than the product's ring are enough",
      expected: "refuted",
      gates: [],
      widths: `n = 2; K = ${used.join(", ")}`,
      queries: used.map(narrowerQuery),
      conform: null,
    },
  ];
}
