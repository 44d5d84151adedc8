/**
 * A masked wire times public integers mod 2^K (keys and values of a public prefix in scores and mix): with X = x + r mod 2^k, k >= K, the
 * parties' terms c_j ([0] X_j - r_j) add up to sum_j c_j x_j mod 2^K. Nothing is dealt. Two inner terms stand for any number: the sum over
 * j is linear. ([0]: party 0 alone adds the public part.)
 */
import { mix } from "../../protocols/smpc/gates/mix.ts";
import { scores } from "../../protocols/smpc/gates/scores.ts";
import { ModelFactors } from "../../protocols/smpc/factors/public-factors.ts";
import type { AttentionLayout } from "../../protocols/smpc/plan/attention-layout.ts";
import type { AnyInstruction, Gate } from "../../protocols/smpc/plan/gate.ts";
import type { ValueInfo } from "../../protocols/smpc/plan/value.ts";
import { ring } from "../../shares/ring.ts";
import { splitWords } from "../../shares/sharing.ts";
import type { Words } from "../../shares/words.ts";
import { compareWords, edgeWords, spreadWords } from "../conformance.ts";
import { openShares, runGateCode, type OpenedWire } from "../gate-walk.ts";
import type { Lemma, Query } from "../lemma.ts";
import { everyWidthQueries, MODULUS, oneWidthQuery, type SharedFormula } from "../shared-formula.ts";
import { spanOf } from "../sweep.ts";
import { add, constant, multiply, subtract, times2, word, type Term } from "../term.ts";
import type { WidthsInUse } from "../widths.ts";

const PARTIES = [2, 3, 4] as const;
const INNER = 2;

const inner = (name: string): Term[] => Array.from({ length: INNER }, (_, j) => word(`${name}${j}`));

/** What a party computes of the public words X and the integers c. */
const publicShare =
  (X: readonly Term[], c: readonly Term[]): SharedFormula["share"] =>
  (isFirst, at) =>
    add(...c.map((each, j) => multiply(each, subtract(isFirst ? X[j] : constant(0), at(`r${j}`)))));

/** `above`: what X has beyond x + r; `beyond`: what comes of it. */
function publicFormula(above: readonly Term[], beyond: Term = constant(0)): SharedFormula {
  const [x, r, c] = ["x", "r", "c"].map(inner);
  return {
    share: publicShare(
      x.map((each, j) => add(each, r[j], above[j])),
      c,
    ),
    values: Object.fromEntries(r.map((each, j) => [`r${j}`, each])),
    truth: add(...x.map((each, j) => multiply(each, c[j])), beyond),
  };
}

/** Wires as wide as the ring, or wider: what they have above it is a multiple of M. */
function wideFormula(): SharedFormula {
  const [h, c] = ["h", "c"].map(inner);
  const multiples = h.map((each) => multiply(MODULUS, each));
  return publicFormula(multiples, add(...multiples.map((each, j) => multiply(each, c[j]))));
}

/** Two parties, in one ring, of wires that are a bit narrower. */
const narrowerQuery = (ringBits: number): Query =>
  oneWidthQuery(
    `public product, n = 2, ${ringBits} bits`,
    publicFormula(inner("h").map((each) => times2(ringBits - 1, each))),
    ringBits,
    { dealtBits: {}, assume: [] },
  );

/** Two queries behind two public keys, one head. */
const SIDE = 2;
const LAYOUT: AttentionLayout = {
  heads: 1,
  kvHeads: 1,
  headDim: INNER,
  prefix: SIDE,
  queries: SIDE,
  past: 0,
  causal: false,
  window: null,
};
const PUBLIC = { vector: "c", factor: 1 } as const;
/** Rows [2, 2] of integers, both signs. */
const INTEGERS = Float32Array.of(3, -70_000, 1, -5);

/**
 * Compares the formula with a gate, by what public rows add to what it computes with rows of zeros: `words` are X and r of the inner index
 * for a word of the output, of those of a wire; null where public rows add nothing. Throws Error where they differ.
 */
async function compare<I extends AnyInstruction>(
  gate: Gate<I>,
  instruction: NoInfer<I>,
  { bits, ringBits, parties }: { readonly bits: number; readonly ringBits: number; readonly parties: number },
  setting: {
    readonly values: readonly ValueInfo[];
    readonly placeOf: (index: number, j: number) => { readonly wire: number; readonly integer: number } | null;
  },
): Promise<void> {
  const { values, placeOf } = setting;
  const seed = `${gate.name} ${bits} ${ringBits} ${parties}`;
  const random = edgeWords(seed);
  const [x, y] = values.slice(0, 2).map(({ rows, columns }, id): OpenedWire => {
    const clear = spreadWords(rows * columns, bits, id);
    return openShares(splitWords(clear, bits, parties, random), bits, random);
  });
  const run = async (rows: Float32Array): Promise<readonly Words[]> => {
    const factors = new ModelFactors(() => ({ data: rows, shape: [SIDE, INNER] }));
    const drawn = { values, parties, random: edgeWords(`${seed} dealt`), wires: { 0: x, 1: y }, factors };
    return (await runGateCode(gate, instruction, drawn)).outputs as readonly Words[];
  };
  const [with_, without] = [await run(INTEGERS), await run(new Float32Array(INTEGERS.length))];
  const formula = publicShare(inner("X"), inner("c"));
  for (let party = 0; party < parties; party++) {
    const added: Words = new BigUint64Array(with_[party].length);
    ring.subtract(added, with_[party], without[party]);
    compareWords(`${gate.name}, public rows, n = ${parties}, party ${party}`, added, ringBits, (index) => {
      const found: Record<string, bigint> = {};
      for (let j = 0; j < INNER; j++) {
        const place = placeOf(index, j);
        found[`X${j}`] = place === null ? 0n : x.masked[place.wire];
        found[`r${j}`] = place === null ? 0n : x.maskShares[party][place.wire];
        found[`c${j}`] = place === null ? 0n : BigInt(INTEGERS[place.integer]);
      }
      return { term: formula(party === 0, word), values: found };
    });
  }
}

async function compareBoth(ringBits: number, parties: number): Promise<void> {
  const bits = Math.min(64, ringBits + (ringBits % 3));
  const wire = (rows: number, columns: number): ValueInfo => ({ kind: "wire", rows, columns, fracBits: 0, bits });
  const share = (rows: number, columns: number): ValueInfo => ({ kind: "share", rows, columns, fracBits: 0, ringBits });
  const widths = { bits, ringBits, parties };
  const keys = 2 * SIDE;
  await compare(scores, { gate: "scores", q: 0, k: 1, out: 2, layout: LAYOUT, prefix: PUBLIC }, widths, {
    values: [wire(SIDE, INNER), wire(SIDE, INNER), share(SIDE * keys, 1)],
    placeOf(index, j) {
      const [query, key] = [Math.floor(index / keys), index % keys];
      return key < SIDE ? { wire: query * INNER + j, integer: key * INNER + j } : null;
    },
  });
  await compare(mix, { gate: "mix", p: 0, v: 1, out: 2, layout: LAYOUT, prefix: PUBLIC }, widths, {
    values: [wire(SIDE * keys, 1), wire(SIDE, INNER), share(SIDE, INNER)],
    placeOf(index, j) {
      const [query, column] = [Math.floor(index / INNER), index % INNER];
      return { wire: query * keys + j, integer: j * INNER + column };
    },
  });
}

/** The lemma for all rings, and what must not hold for the widths in use. */
export function publicProductLemmas(rings: readonly number[], inUse: Pick<WidthsInUse, "scores" | "mix">): Lemma[] {
  const used = [...new Set([...inUse.scores, ...inUse.mix].map(({ ringBits }) => ringBits))];
  return [
    {
      name: "public products",
      statement: "what the parties compute from a masked wire and public integers adds up to their product mod 2^K",
      expected: "proved",
      gates: ["scores", "mix"],
      widths: `any n; K = ${spanOf(rings)}, wires of K bits or more`,
      queries: everyWidthQueries("public product", wideFormula()),
      async conform() {
        for (const ringBits of rings) for (const parties of PARTIES) await compareBoth(ringBits, parties);
      },
    },
    {
      name: "public products: wires too narrow",
      statement: "wires of a bit less than the product's ring are enough",
      expected: "refuted",
      gates: [],
      widths: `n = 2; K = ${used.join(", ")}`,
      queries: used.map(narrowerQuery),
      conform: null,
    },
  ];
}
