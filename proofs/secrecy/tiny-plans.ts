/** Plans of a few bits an element whose secrecy is counted: every gate that opens or that something is dealt for, and what follows another. */
import type { AttentionLayout } from "../../protocols/smpc/plan/attention-layout.ts";
import { isWaitedFor, type Instruction, type Plan } from "../../protocols/smpc/plan/instruction.ts";
import type { ValueInfo } from "../../protocols/smpc/plan/value.ts";

/** A plan of so many elements, with the inputs' names and bits. */
export interface TinyPlan {
  readonly name: string;
  readonly inputs: Readonly<Record<string, number>>;
  readonly planOf: (elements: number) => Plan;
  /** Elements that are best run at once. */
  readonly slice?: number;
}

/** `words`: of an element; absent: 1. */
type Value = readonly ["share" | "wire" | "client", bits: number, words?: number];

/** `levels`: the instructions that can run after so many rounds. */
const tiny = (
  name: string,
  values: readonly Value[],
  levels: (elements: number) => readonly (readonly Instruction[])[],
  fracBits = 0,
): TinyPlan => ({
  name,
  inputs: Object.fromEntries(
    levels(1)
      .flat()
      .flatMap((each) =>
        each.gate === "input" || each.gate === "client-input" ? [[each.name, values[each.out][1]]] : [],
      ),
  ),
  planOf(elements) {
    const byLevel = levels(elements);
    return {
      values: values.map(([kind, bits, words = 1]): ValueInfo => {
        const shape = { rows: elements * words, columns: 1, fracBits };
        if (kind === "client") return { kind, ...shape };
        return kind === "share" ? { kind, ...shape, ringBits: bits } : { kind, ...shape, bits };
      }),
      instructions: byLevel.flat(),
      levels: byLevel.flatMap((all, level) => all.map(() => level)),
      rounds: byLevel.filter((all) => all.some(isWaitedFor)).length,
      sites: [],
      checks: [],
    };
  },
});

const input = (out: number, name: string): Instruction => ({ gate: "input", out, name });
const open = (x: number, out: number): Instruction => ({ gate: "open", x, out });

/** The one public vector that there is: a 1, repeated. */
export const ONES = "ones";

/** The time of attention grows with the square of its heads, where there are many. */
const FEW_HEADS = 2 ** 8;

/** A head an element: its one query sees its one key, of one feature. */
const layoutOf = (elements: number): AttentionLayout => ({
  heads: elements,
  kvHeads: elements,
  headDim: 1,
  queries: 1,
  past: 0,
  causal: false,
  window: null,
});

/** x shared, and nothing else. */
export const sharing = (bits: number): TinyPlan =>
  tiny(`share, ${bits} bits`, [["share", bits]], () => [[input(0, "x")]]);

/** x opened mod 2^bits from shares of `ringBits`. */
export const opening = (ringBits: number, bits: number): TinyPlan =>
  tiny(
    `open, ${bits} of ${ringBits} bits`,
    [
      ["share", ringBits],
      ["wire", bits],
    ],
    () => [[input(0, "x"), open(0, 1)]],
  );

/** x and twice x, opened under a mask each. */
export const openingTwice = (bits: number): TinyPlan =>
  tiny(
    `open twice, ${bits} bits`,
    [
      ["share", bits],
      ["share", bits],
      ["wire", bits],
      ["wire", bits],
    ],
    () => [[input(0, "x"), { gate: "combine", terms: [{ x: 0, factor: 2 }], out: 1 }, open(0, 2), open(1, 3)]],
  );

export const extending = (bits: number, ringBits: number): TinyPlan =>
  tiny(
    `extend, ${bits} to ${ringBits} bits`,
    [
      ["share", bits],
      ["wire", bits],
      ["share", ringBits],
    ],
    () => [[input(0, "x"), open(0, 1)], [{ gate: "extend", x: 1, out: 2 }]],
  );

/** A product of x and y, opened. */
export function product(
  gate: "multiply" | "row-scale" | "scores" | "mix",
  a: number,
  b: number,
  ringBits: number,
): TinyPlan {
  const instruction = (elements: number): Instruction => {
    const layout = layoutOf(elements);
    switch (gate) {
      case "multiply":
        return { gate, a: 2, b: 3, out: 4 };
      case "row-scale":
        return { gate, x: 2, scale: 3, out: 4, width: 1 };
      case "scores":
        return { gate, q: 2, k: 3, out: 4, layout };
      case "mix":
        return { gate, p: 2, v: 3, out: 4, layout };
    }
  };
  const plan = tiny(
    `${gate}, ${a} x ${b} in ${ringBits} bits`,
    [
      ["share", a],
      ["share", b],
      ["wire", a],
      ["wire", b],
      ["share", ringBits],
    ],
    (elements) => [[input(0, "x"), input(1, "y"), open(0, 2), open(1, 3)], [instruction(elements)]],
  );
  return gate === "scores" || gate === "mix" ? { ...plan, slice: FEW_HEADS } : plan;
}

/** One gate on x, opened. */
const onWire = (name: string, bits: number, ringBits: number, instruction: Instruction, fracBits = 0): TinyPlan =>
  tiny(
    `${name}, ${bits} to ${ringBits} bits`,
    [
      ["share", bits],
      ["wire", bits],
      ["share", ringBits],
    ],
    () => [[input(0, "x"), open(0, 1)], [instruction]],
    fracBits,
  );

export const squaring = (bits: number, ringBits: number): TinyPlan =>
  onWire("squares", bits, ringBits, { gate: "squares", x: 1, out: 2, width: 1 });

export const exponential = (bits: number, ringBits: number, windows: number): TinyPlan =>
  onWire(`exp, ${windows} windows`, bits, ringBits, {
    gate: "exp",
    x: 1,
    out: 2,
    temperature: 1,
    from: -1,
    windows,
    tableFracBits: 1,
    wordFracBits: 1,
  });

/** `coarser`: bits that the harmonic's table has less, and its dealt words. */
export const seriesOf = (bits: number, ringBits: number, coarser = 0): TinyPlan =>
  onWire(`series, coarser by ${coarser}`, bits, ringBits, {
    gate: "series",
    x: 1,
    out: 2,
    series: {
      periodBits: bits,
      constant: 0,
      harmonics: [1],
      cos: [0.5],
      sin: [0],
      maxError: 0,
      from: 0,
      to: 1,
      name: "test",
    },
    tableFracBits: 1,
    wordFracBits: 1,
    coarserBits: [coarser],
  });

/** Opened, extended, shifted, opened again: what is opened last follows from what was opened and dealt before. */
export const chain = (bits: number, ringBits: number): TinyPlan =>
  tiny(
    `open, extend, shift, open, ${bits} to ${ringBits} bits`,
    [
      ["share", bits],
      ["wire", bits],
      ["share", ringBits],
      ["share", ringBits - 1],
      ["wire", ringBits - 1],
    ],
    () => [
      [input(0, "x"), open(0, 1)],
      [{ gate: "extend", x: 1, out: 2 }, { gate: "shift", x: 2, out: 3, bits: 1 }, open(3, 4)],
    ],
  );

/** Logits that are opened and multiplied by x once more: a mask that is used in two products, and a product of what came of it. */
export const chainOfProducts = (bits: number): TinyPlan => ({
  ...tiny(
    `scores, open, mix, open, ${bits} bits`,
    [
      ["share", bits],
      ["share", bits],
      ["wire", bits],
      ["wire", bits],
      ["share", bits],
      ["wire", bits],
      ["share", bits],
      ["wire", bits],
    ],
    (elements) => [
      [input(0, "x"), input(1, "y"), open(0, 2), open(1, 3)],
      [{ gate: "scores", q: 2, k: 3, out: 4, layout: layoutOf(elements) }, open(4, 5)],
      [{ gate: "mix", p: 5, v: 2, out: 6, layout: layoutOf(elements) }, open(6, 7)],
    ],
  ),
  slice: FEW_HEADS,
});

/** The same behind a public key and value: its logit is opened beside the secret one, and nothing is dealt for it. */
export const behindPrefix = (bits: number): TinyPlan => {
  const behind = (elements: number) => ({
    layout: { ...layoutOf(elements), prefix: 1 },
    prefix: { vector: ONES, factor: 1 },
  });
  return {
    ...tiny(
      `scores, open, mix, open behind a public key, ${bits} bits`,
      [
        ["share", bits],
        ["share", bits],
        ["wire", bits],
        ["wire", bits],
        ["share", bits, 2],
        ["wire", bits, 2],
        ["share", bits],
        ["wire", bits],
      ],
      (elements) => [
        [input(0, "x"), input(1, "y"), open(0, 2), open(1, 3)],
        [{ gate: "scores", q: 2, k: 3, out: 4, ...behind(elements) }, open(4, 5)],
        [{ gate: "mix", p: 5, v: 2, out: 6, ...behind(elements) }, open(6, 7)],
      ],
    ),
    slice: FEW_HEADS,
  };
};

/** A row that leaves, x y mod 2^bits, of two rows that were opened and don't. */
export const leaving = (bits: number): TinyPlan => ({
  ...tiny(
    `scores, output, ${bits} bits`,
    [
      ["share", bits],
      ["share", bits],
      ["wire", bits],
      ["wire", bits],
      ["share", bits],
    ],
    (elements) => [
      [input(0, "x"), input(1, "y"), open(0, 2), open(1, 3)],
      [
        { gate: "scores", q: 2, k: 3, out: 4, layout: layoutOf(elements) },
        { gate: "output", x: 4, name: "row", bits },
      ],
    ],
  ),
  slice: FEW_HEADS,
});

const own = (out: number, name: string): Instruction => ({ gate: "client-input", out, name });
const take = (x: number, out: number): Instruction => ({ gate: "take", x, out, normalised: false });
const twice = (x: number, out: number): Instruction => ({
  gate: "evaluate",
  operation: { name: "scale", factor: 2 },
  inputs: [{ x }],
  out,
});
const give = (x: number, out: number, bits: number, droppedBits: number): Instruction => ({
  gate: "give",
  x,
  out,
  bits,
  droppedBits,
  othersDroppedBits: droppedBits,
  rowsOf: [],
  columnsOf: null,
});

/** x of a client, shared out and given back. */
export const taking = (bits: number): TinyPlan =>
  tiny(
    `take, ${bits} bits`,
    [
      ["client", bits],
      ["share", bits],
      ["client", bits],
    ],
    () => [[own(0, "x"), take(0, 1), give(1, 2, bits, 0)], [{ gate: "client-output", x: 2, name: "own" }]],
  );

/** x of a client and twice x, shared out in one message. */
export const takingTwice = (bits: number): TinyPlan =>
  tiny(
    `take twice, ${bits} bits`,
    [
      ["client", bits],
      ["client", bits],
      ["share", bits],
      ["share", bits],
    ],
    () => [[own(0, "x"), twice(0, 1), take(0, 2), take(1, 3)]],
  );

/** x of a client, shared out, given back without its lowest bit, evaluated and shared out again. */
export const takingAgain = (bits: number): TinyPlan =>
  tiny(
    `take, give, evaluate, take, ${bits} bits`,
    [
      ["client", bits],
      ["share", bits],
      ["client", bits],
      ["client", bits],
      ["share", bits],
    ],
    () => [
      [own(0, "x"), take(0, 1), give(1, 2, bits, 1)],
      [twice(2, 3), take(3, 4)],
    ],
  );

/** x of a client, shared out and opened by the parties, who evaluate the next gate. */
export const takingAndOpening = (bits: number): TinyPlan =>
  tiny(
    `take, open, ${bits} bits`,
    [
      ["client", bits],
      ["share", bits],
      ["wire", bits],
    ],
    () => [[own(0, "x"), take(0, 1), open(1, 2)]],
  );
