import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compareWords } from "../../proofs/conformance.ts";
import type { Lemma } from "../../proofs/lemma.ts";
import { differenceLemmas } from "../../proofs/lemmas/differences.ts";
import { extendLemmas } from "../../proofs/lemmas/extend.ts";
import { narrowProductLemmas } from "../../proofs/lemmas/narrow-products.ts";
import { productLemmas } from "../../proofs/lemmas/products.ts";
import { shiftLemmas } from "../../proofs/lemmas/shift.ts";
import { windowLemmas } from "../../proofs/lemmas/windows.ts";
import { runLemma, type LemmaRecord } from "../../proofs/run-lemma.ts";
import { add, atMost, constant, equal, evaluate, low, shiftedRight, word } from "../../proofs/term.ts";
import { widthsOf, type Widths } from "../../proofs/widths.ts";
import type { Plan } from "../../protocols/smpc/plan/instruction.ts";
import type { ValueInfo } from "../../protocols/smpc/plan/value.ts";

/** Some of the widths in use; `weir prove` takes them all. */
const WIDTHS: Widths = {
  shifts: [
    { ringBits: 64, shiftBits: 13, outBits: 51 },
    { ringBits: 23, shiftBits: 4, outBits: 19 },
  ],
  extensions: [
    { bits: 26, ringBits: 64 },
    { bits: 14, ringBits: 34 },
    { bits: 20, ringBits: 18 },
  ],
  windows: [
    { bits: 16, windows: 8, from: -13.37, fracBits: 10 },
    { bits: 12, windows: 2, from: 3, fracBits: 6 },
    { bits: 16, windows: 3, from: -40.5, fracBits: 10 },
  ],
  products: [{ aBits: 27, bBits: 26, ringBits: 24 }],
  narrowProducts: [
    { aBits: 20, bBits: 43, ringBits: 58 },
    { aBits: 20, bBits: 52, ringBits: 50 },
    { aBits: 19, bBits: 19, ringBits: 30 },
  ],
  squares: [
    { bits: 20, ringBits: 43 },
    { bits: 20, ringBits: 21 },
  ],
  differences: [
    { xBits: 16, rowBits: 18, outBits: 16 },
    { xBits: 20, rowBits: 16, outBits: 15 },
  ],
};

/** One of each. */
const FEW: Widths = {
  shifts: WIDTHS.shifts.slice(0, 1),
  extensions: WIDTHS.extensions.slice(0, 1),
  windows: WIDTHS.windows.slice(0, 1),
  products: WIDTHS.products,
  narrowProducts: WIDTHS.narrowProducts.slice(0, 1),
  squares: WIDTHS.squares.slice(0, 1),
  differences: WIDTHS.differences.slice(0, 1),
};

describe("lemmas", () => {
  for (const lemma of [
    ...shiftLemmas(WIDTHS),
    ...extendLemmas(WIDTHS),
    ...windowLemmas(WIDTHS),
    ...differenceLemmas(WIDTHS),
    ...productLemmas(WIDTHS),
    ...narrowProductLemmas(WIDTHS),
  ])
    it(`${lemma.name} is ${lemma.expected}`, async () => {
      const record = await runLemma(lemma);
      assert.equal(record.failure, null);
      assert.equal(record.verdict, lemma.expected);
      assert.ok(record.ok);
      assert.ok(record.cases > 0);
    });
});

/** A lemma whose statement was edited is red, with a counterexample. */
function assertRed(record: LemmaRecord, verdict: LemmaRecord["verdict"], failure: RegExp): void {
  assert.equal(record.verdict, verdict);
  assert.equal(record.ok, false);
  assert.match(record.failure ?? "", failure);
}

describe("statements with a fault", () => {
  const faulty: readonly (readonly [string, Lemma])[] = [
    ["shift by a unit less", shiftLemmas(FEW, { moreUnits: -1 })[0]],
    ["shift that keeps the ring", shiftLemmas(FEW, { keepsRing: true })[0]],
    ["extend of x two units above its range", extendLemmas(FEW, { above: 2n })[0]],
    ["extend of x a unit below its range", extendLemmas(FEW, { below: 1n })[0]],
    ["extend with dealt words a bit too short", extendLemmas(FEW, { missingBits: 1 })[0]],
    ["windows a step too far", windowLemmas(FEW, { above: 1n })[0]],
    ["windows a step too early", windowLemmas(FEW, { below: 1n })[0]],
    ["products of wires a bit too narrow", productLemmas(FEW, { narrowerBits: 1 })[0]],
    ["narrow products, carries too short", narrowProductLemmas(FEW, { array: "carry-a", missingBits: 1 })[0]],
    ["squares, sums of squares too short", narrowProductLemmas(FEW, { array: "squares", missingBits: 1 })[0]],
  ];
  for (const [name, lemma] of faulty)
    it(name, async () => {
      assert.equal(lemma.expected, "proved");
      // The model itself is as the code; what is claimed of it isn't true.
      assertRed(await runLemma(lemma), "refuted", /-> #[xb]/);
    });
});

describe("verdicts", () => {
  const lemma = (part: Partial<Lemma>): Lemma => ({
    name: "test",
    statement: "",
    expected: "proved",
    widths: "",
    queries: [],
    conform: null,
    ...part,
  });
  const sum = {
    name: "sum",
    wordBits: 8,
    assume: [],
    claim: equal(add(word("a"), word("b")), add(word("b"), word("a"))),
  };

  it("a negative lemma that is proved is red", async () => {
    assertRed(await runLemma(lemma({ expected: "refuted", queries: [sum] })), "proved", /unsat/);
  });

  it("assumptions that nothing meets prove nothing", async () => {
    const assume = [atMost(word("a"), 3n), equal(word("a"), constant(4))];
    const record = await runLemma(lemma({ queries: [{ ...sum, assume, claim: equal(word("a"), word("b")) }] }));
    assertRed(record, "undecided", /vacuous/);
  });

  it("a statement that the solver can't read is red", async () => {
    const claim = equal(word("(oops"), constant(0));
    assertRed(await runLemma(lemma({ queries: [{ ...sum, claim }] })), "undecided", /./);
  });

  it("a model that is not what the gate computes is red", async () => {
    const out = BigUint64Array.of(5n, 6n);
    const conform = (shift: number) => (): void =>
      compareWords("gate", out, 3, (i) => ({ term: add(word("a"), constant(shift)), values: { a: BigInt(5 + i) } }));
    assert.ok((await runLemma(lemma({ queries: [sum], conform: conform(8) }))).ok, "equal mod 2^3");
    assertRed(
      await runLemma(lemma({ queries: [sum], conform: conform(1) })),
      "undecided",
      /gate, word 0: the statement says 6, the gate computes 5/,
    );
  });
});

describe("terms", () => {
  it("are evaluated as the solver reads them", async () => {
    const values = { a: 0xfedcba98n, b: 77n };
    const term = add(shiftedRight(5, low(17, add(word("a"), word("b")))), constant(-3));
    const assume = [equal(word("a"), constant(values.a)), equal(word("b"), constant(values.b))];
    const claim = equal(term, constant(evaluate(term, values, 40)));
    const query = { name: "value", wordBits: 40, assume, claim };
    const said = { name: "", statement: "", widths: "", conform: null };
    assert.ok((await runLemma({ ...said, expected: "proved", queries: [query] })).ok);
    assert.throws(() => evaluate(term, { a: 1n }, 40), /expected a value of b, got none/);
  });
});

describe("widthsOf", () => {
  it("lists every combination of widths of a plan once", () => {
    const share = (ringBits: number): ValueInfo => ({ kind: "share", rows: 1, columns: 1, fracBits: 4, ringBits });
    const wire = (bits: number): ValueInfo => ({ kind: "wire", rows: 1, columns: 1, fracBits: 4, bits });
    const plan: Plan = {
      values: [share(40), share(30), wire(12), share(25), share(30)],
      instructions: [
        { gate: "shift", x: 0, out: 1, bits: 10 },
        { gate: "shift", x: 0, out: 4, bits: 10 },
        { gate: "open", x: 1, out: 2 },
        { gate: "extend", x: 2, out: 3 },
        { gate: "squares", x: 2, out: 3, width: 1 },
        { gate: "multiply", a: 2, b: 2, out: 3 },
      ],
      levels: [0, 0, 0, 1, 1, 1],
      rounds: 1,
      sites: [],
      checks: [],
    };
    assert.deepEqual(widthsOf([plan, plan]), {
      shifts: [{ ringBits: 40, shiftBits: 10, outBits: 30 }],
      extensions: [{ bits: 12, ringBits: 25 }],
      windows: [],
      products: [],
      narrowProducts: [{ aBits: 12, bBits: 12, ringBits: 25 }],
      squares: [{ bits: 12, ringBits: 25 }],
      differences: [],
    });
  });
});
