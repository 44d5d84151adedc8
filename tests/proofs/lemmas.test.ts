import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { compareWords } from "../../proofs/conformance.ts";
import type { Lemma } from "../../proofs/lemma.ts";
import { allLemmas } from "../../proofs/lemmas/all-lemmas.ts";
import { differenceLemmas } from "../../proofs/lemmas/differences.ts";
import { extendLemmas } from "../../proofs/lemmas/extend.ts";
import { liftLemmas } from "../../proofs/lemmas/lift.ts";
import { linearLemmas } from "../../proofs/lemmas/linear.ts";
import { narrowProductLemmas } from "../../proofs/lemmas/narrow-products.ts";
import { productLemmas } from "../../proofs/lemmas/products.ts";
import { roundingLemmas } from "../../proofs/lemmas/rounding.ts";
import { shiftLemmas } from "../../proofs/lemmas/shift.ts";
import { squareScaleLemmas } from "../../proofs/lemmas/square-scale.ts";
import { squareLemmas } from "../../proofs/lemmas/squares.ts";
import { windowLemmas } from "../../proofs/lemmas/windows.ts";
import { runLemma, type LemmaRecord } from "../../proofs/run-lemma.ts";
import { checkDealt } from "../../proofs/shared-formula.ts";
import { Solver } from "../../proofs/solver/solver.ts";
import {
  add,
  atMost,
  constant,
  equal,
  evaluate,
  low,
  shiftedLeft,
  shiftedRight,
  within,
  word,
} from "../../proofs/term.ts";
import { NO_WIDTHS, widthsOf, type WidthsInUse } from "../../proofs/widths.ts";
import type { ValueInfo } from "../../protocols/smpc/plan/value.ts";
import type { Plan } from "../../protocols/smpc/plan/instruction.ts";

const solver = new Solver();
after(() => solver.close());

/** Some rings and wires; `weir prove` takes them all. */
const RINGS = [5, 12, 20, 33, 64];

/** Some of the widths in use. */
const WIDTHS: WidthsInUse = {
  ...NO_WIDTHS,
  shift: [
    { ringBits: 51, shiftBits: 13, spareBits: 0 },
    { ringBits: 19, shiftBits: 4, spareBits: 0 },
  ],
  extend: [
    { bits: 26, belowBits: 24, ringBits: 64 },
    { bits: 14, belowBits: 12, ringBits: 34 },
    { bits: 16, belowBits: 11, ringBits: 35 },
    { bits: 20, belowBits: 18, ringBits: 18 },
  ],
  exp: [
    { bits: 16, windows: 8, lastWindow: 8192, ringBits: 31 },
    { bits: 12, windows: 2, lastWindow: 2048, ringBits: 24 },
    { bits: 16, windows: 3, lastWindow: 21844, ringBits: 31 },
  ],
  scores: [{ ringBits: 24, spareBits: 2 }],
  mix: [{ ringBits: 20, spareBits: 0 }],
  "row-scale": [
    { aBits: 20, bBits: 43, ringBits: 58 },
    { aBits: 20, bBits: 52, ringBits: 50 },
  ],
  multiply: [{ aBits: 19, bBits: 19, ringBits: 30 }],
  squares: [
    { bits: 20, belowBits: 18, ringBits: 43 },
    { bits: 15, belowBits: 10, ringBits: 36 },
    { bits: 20, belowBits: 18, ringBits: 21 },
  ],
  "square-scale": [
    { bits: 15, belowBits: 10, scaleBits: 18, ringBits: 36, droppedBits: 3, keptBits: 33, spareBits: 0 },
    { bits: 15, belowBits: 10, scaleBits: 40, ringBits: 37, droppedBits: 0, keptBits: 37, spareBits: 0 },
  ],
};

describe("lemmas", () => {
  for (const lemma of allLemmas(RINGS, WIDTHS))
    it(`${lemma.name} is ${lemma.expected}`, async () => {
      const record = await runLemma(lemma, solver);
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

/** One ring, so that a fault is found soon. */
const FEW = [20];

describe("statements with a fault", () => {
  const short = (name: string) => ({ word: name, missingBits: 1 });
  const faulty: readonly (readonly [string, readonly Lemma[]])[] = [
    ["linear, of words a bit too short", linearLemmas(FEW, short("y"))],
    ["differences of words a bit too short", differenceLemmas(FEW, { spareBits: -1 })],
    ["rounding that is half a unit off", roundingLemmas(FEW, { off: 1n })],
    ["shift by a unit less", shiftLemmas(FEW, WIDTHS, { moreUnits: -1 })],
    ["shift that keeps the ring", shiftLemmas(FEW, WIDTHS, { keepsRing: true })],
    ["lift of x a unit above its range", liftLemmas(FEW, { above: 1n })],
    ["lift of x a unit below its range", liftLemmas(FEW, { below: 1n })],
    ["extend with dealt words a bit too short", extendLemmas(FEW, WIDTHS, short("top"))],
    ["windows a step too far", windowLemmas(FEW, WIDTHS, { above: 1n })],
    ["windows a step too early", windowLemmas(FEW, WIDTHS, { below: 1n })],
    ["products, dealt words a bit too short", productLemmas(FEW, WIDTHS, short("mask mask"))],
    ["narrow products, carries too short", narrowProductLemmas(FEW, WIDTHS, short("carry-a"))],
    ["squares, sums of squares too short", squareLemmas(FEW, WIDTHS, short("squares"))],
    ["square scale, halves too short", squareScaleLemmas(FEW, WIDTHS, short("half top"))],
  ];
  for (const [name, [lemma]] of faulty)
    it(name, async () => {
      assert.equal(lemma.expected, "proved");
      // The model itself is as the code; what is claimed of it isn't true.
      assertRed(await runLemma({ ...lemma, conform: null }, solver), "refuted", /-> #[xb]/);
    });

  it("a gate that deals a bit less than its formula needs", () => {
    const exponents = { carry: 12, top: 12 };
    const dealt = (topBits: number) => [
      { name: "carry", bits: 8, count: 1 },
      { name: "top", bits: topBits, count: 1 },
    ];
    checkDealt("extend", dealt(8), 20, exponents);
    assert.throws(() => checkDealt("extend", dealt(7), 20, exponents), /extend: expected 8 bits of top, got 7 dealt/);
    assert.throws(() => checkDealt("extend", [], 20, exponents), /extend: expected 8 bits of carry, got 0 dealt/);
    checkDealt("extend", [], 12, exponents);
    const unknown = [...dealt(8), { name: "more", bits: 1, count: 1 }];
    assert.throws(() => checkDealt("extend", unknown, 20, exponents), /words of the formula to be dealt, got more/);
  });
});

describe("verdicts", () => {
  const lemma = (part: Partial<Lemma>): Lemma => ({
    name: "test",
    statement: "",
    expected: "proved",
    gates: [],
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
    assertRed(await runLemma(lemma({ expected: "refuted", queries: [sum] }), solver), "proved", /unsat/);
  });

  it("assumptions that nothing meets prove nothing", async () => {
    const assume = [atMost(word("a"), 3n), equal(word("a"), constant(4))];
    const record = await runLemma(lemma({ queries: [{ ...sum, assume, claim: equal(word("a"), word("b")) }] }), solver);
    assertRed(record, "undecided", /vacuous/);
  });

  it("a statement that the solver can't read is red", async () => {
    const claim = equal(word("(oops"), constant(0));
    assertRed(await runLemma(lemma({ queries: [{ ...sum, claim }] }), solver), "undecided", /./);
  });

  it("a model that is not what the gate computes is red", async () => {
    const out = BigUint64Array.of(5n, 6n);
    const conform = (shift: number) => (): void =>
      compareWords("gate", out, 3, (i) => ({ term: add(word("a"), constant(shift)), values: { a: BigInt(5 + i) } }));
    assert.ok((await runLemma(lemma({ queries: [sum], conform: conform(8) }), solver)).ok, "equal mod 2^3");
    assertRed(
      await runLemma(lemma({ queries: [sum], conform: conform(1) }), solver),
      "undecided",
      /gate, word 0: the statement says 6, the gate computes 5/,
    );
  });
});

describe("terms", () => {
  it("are evaluated as the solver reads them", async () => {
    const values = { a: 0xfedcba98n, b: 77n };
    const term = add(shiftedRight(5, low(17, add(word("a"), word("b")))), shiftedLeft(30, word("b")), constant(-3));
    const assume = [equal(word("a"), constant(values.a)), equal(word("b"), constant(values.b))];
    const claim = equal(term, constant(evaluate(term, values, 40)));
    const query = { name: "value", wordBits: 40, assume, claim };
    const said = { name: "", statement: "", widths: "", gates: [], conform: null };
    assert.ok((await runLemma({ ...said, expected: "proved", queries: [query] }, solver)).ok);
    assert.throws(() => evaluate(term, { a: 1n }, 40), /expected a value of b, got none/);
  });
});

describe("within", () => {
  it("reads a word mod 2^bits, and holds of all words where the interval is as long as the ring or longer", () => {
    const isIn = (value: bigint, from: bigint, to: bigint, bits: number): boolean => {
      const { left, right } = within(word("x"), from, to, bits);
      return evaluate(left, { x: value }, 64) <= evaluate(right, { x: value }, 64);
    };
    assert.deepEqual(
      [7n, 0n, 1n, 2n, 6n].map((x) => isIn(x, -1n, 1n, 3)),
      [true, true, true, false, false],
    );
    assert.ok([0n, 1n, 2n, 3n].every((x) => isIn(x, -2n, 1n, 2) && isIn(x, -9n, 90n, 2)));
  });
});

describe("widthsOf", () => {
  it("lists every combination of widths of a plan once, gate by gate", () => {
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
        { gate: "squares", x: 2, out: 3, width: 1, nonNegative: true },
        { gate: "multiply", a: 2, b: 2, out: 3 },
      ],
      levels: [0, 0, 0, 1, 1, 1, 1],
      rounds: 1,
      sites: [],
      checks: [],
    };
    assert.deepEqual(widthsOf([plan, plan]), {
      ...NO_WIDTHS,
      shift: [{ ringBits: 30, shiftBits: 10, spareBits: 0 }],
      open: [{ bits: 12, spareBits: 18 }],
      extend: [{ bits: 12, belowBits: 10, ringBits: 25 }],
      squares: [
        { bits: 12, belowBits: 10, ringBits: 25 },
        { bits: 12, belowBits: 7, ringBits: 25 },
      ],
      multiply: [{ aBits: 12, bBits: 12, ringBits: 25 }],
    });
  });
});
