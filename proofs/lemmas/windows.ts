/**
 * Windows of the gate exp: the index arithmetic gives x. With X' = X - from mod 2^k, s = 2^k / W rounded up, the window w = floor(X' / s),
 * its last value top = (w + 1) s - 1, d = top - X' and the dealer's exponent c = (top - r mod 2^k) + from: x = c - d for every x in
 * [from, from + 2^k - s], every r and every `from`; d is an index of the public table, [0, s).
 *
 *   exponent  x = c - d, of any s up to 2^k and any d below s: a division would take the solver minutes, and this is all that is needed
 *   index     d is below s, because X' = w s + rest with a rest below s
 *   window    w is below W, for every W that the gate takes: counted, not asked
 *
 * The declared interval ends one unit below that. What is left to real numbers is e^c e^-d = e^x.
 */
import { exp, expTable } from "../../protocols/smpc/gates/exp.ts";
import type { ValueInfo } from "../../protocols/smpc/plan/value.ts";
import type { InstructionOf } from "../../protocols/smpc/plan/instruction.ts";
import { PROVED_WIDTHS, type WidthsOf } from "../../protocols/smpc/plan/proved-widths.ts";
import { splitWords } from "../../shares/sharing.ts";
import { roundToWords } from "../../shares/table-kernels.ts";
import type { Words } from "../../shares/words.ts";
import { compareWords, edgeWords, spreadWords } from "../conformance.ts";
import { openShares, runGateCode } from "../gate-walk.ts";
import type { Lemma, Query } from "../lemma.ts";
import { spanOf } from "../sweep.ts";
import {
  add,
  atMost,
  constant,
  equal,
  evaluate,
  low,
  multiply,
  subtract,
  word,
  type Formula,
  type Term,
} from "../term.ts";
import type { WidthsInUse } from "../widths.ts";

type WindowWidths = Pick<WidthsOf<"exp">, "bits" | "windows">;

/** What may be got wrong, so that a test can see the lemma fail: units that x may go below and above its interval. */
export interface WindowFaults {
  readonly below?: bigint;
  readonly above?: bigint;
}

/** s: values of a window; the last one may have fewer. */
const heightOf = ({ bits, windows }: WindowWidths): number => Math.ceil(2 ** bits / windows);

/** top - r mod 2^k of the window of the public word X, d below its last value. */
const dealersIndex = (masked: Term, mask: Term, first: Term, below: Term, bits: number): Term =>
  low(bits, subtract(add(low(bits, subtract(masked, first)), below), mask));

/** The exponent's question for windows of s values, s a word or a number. */
function exponentQuery(name: string, bits: number, s: Term, { below = 0n, above = 0n }: WindowFaults = {}): Query {
  const [x, r, first, d] = [word("x"), word("r"), word("from"), word("d")];
  const size = constant(1n << BigInt(bits));
  const isHeight: readonly Formula[] = [atMost(s, 1n << BigInt(bits)), atMost(constant(1), s)];
  const index = dealersIndex(low(bits, add(x, r)), r, first, d, bits);
  return {
    name: `exponent, ${name}`,
    wordBits: 64,
    assume: [
      ...isHeight,
      atMost(add(subtract(x, first), constant(below)), add(subtract(size, s), constant(below + above))),
      atMost(r, (1n << BigInt(bits)) - 1n),
      atMost(d, subtract(s, constant(1))),
    ],
    claim: equal(subtract(add(index, first), d), x),
  };
}

/** d of X' = w s + rest. */
function indexQueries(): Query[] {
  const [w, s, rest] = [word("w"), word("s"), word("rest")];
  const top = subtract(multiply(add(w, constant(1)), s), constant(1));
  const below = subtract(subtract(s, constant(1)), rest);
  return [
    {
      name: "index",
      wordBits: 64,
      assume: [],
      claim: equal(subtract(top, add(multiply(w, s), rest)), below),
    },
    {
      name: "index in the table",
      wordBits: 64,
      assume: [atMost(constant(1), s), atMost(rest, subtract(s, constant(1)))],
      claim: atMost(below, subtract(s, constant(1))),
    },
  ];
}

/** No window of a wire of `bits` bits lies beyond the last, whatever their number. Throws Error that names one that does. */
function countWindows(bits: number): void {
  const all = 2 ** bits;
  for (let windows = PROVED_WIDTHS.exp.windows[0]; windows <= all; windows++) {
    const height = heightOf({ bits, windows });
    if (height * (windows - 1) < all && Math.floor((all - 1) / height) >= windows)
      throw new Error(
        `windows: expected ${bits} bits to end in window ${windows - 1} of ${height} values, got one beyond`,
      );
  }
}

const TEMPERATURE = 64;
const WORD_FRAC_BITS = 20;
const COUNT = 96;
/** Intervals of any start, of at most 2^6 units of real numbers. */
const STARTS = [-13.37, 3, -40.5];
const PERIOD_BITS = 6;

/** Compares the indices with those that the gate's dealer and parties use, through the tables. Throws Error where they differ. */
async function compare(all: readonly WindowWidths[]): Promise<void> {
  for (const [at, widths] of all.entries()) {
    const { bits, windows } = widths;
    const from = STARTS[at % STARTS.length];
    const fracBits = Math.max(0, bits - PERIOD_BITS);
    const instruction: InstructionOf<"exp"> = {
      gate: "exp",
      x: 0,
      out: 1,
      temperature: TEMPERATURE,
      from,
      windows,
      tableFracBits: 20,
      wordFracBits: WORD_FRAC_BITS,
    };
    const values: ValueInfo[] = [
      { kind: "wire", rows: COUNT, columns: 1, fracBits, bits },
      { kind: "share", rows: COUNT, columns: 1, fracBits: 40, ringBits: 64 },
    ];
    const random = edgeWords(`windows ${bits} ${windows}`);
    const wire = openShares(splitWords(spreadWords(COUNT, bits, 1), bits, 2, random), bits, random);
    const {
      dealt,
      values: dealtValues,
      outputs,
    } = await runGateCode(exp, instruction, {
      parties: 2,
      values,
      random,
      wires: { 0: wire },
    });
    const table = expTable(instruction, values[0]).make();
    const first = BigInt(Math.ceil(from * 2 ** fracBits));
    const height = BigInt(heightOf(widths));
    const index = dealersIndex(word("X"), word("r"), word("from"), word("d"), bits);
    const indicesOf = (i: number, masked: bigint): Record<"window" | "below" | "index", bigint> => {
      const moved = BigInt.asUintN(bits, masked - first);
      const window = moved / height;
      const below = (window + 1n) * height - 1n - moved;
      const at = { X: masked, r: wire.mask[i], from: first, d: below };
      return { window, below, index: evaluate(index, at, 64) };
    };
    const what = `exp, k = ${bits}, W = ${windows}`;
    const wordsOfWindows = dealtValues.get("windows")!;
    outputs.forEach((out, party) =>
      compareWords(`${what}, party ${party}`, out, 64, (i) => {
        const { window, below } = indicesOf(i, wire.masked[i]);
        const chosen = dealt.get("windows")![party][i * windows + Number(window)];
        return { term: constant(chosen * table[Number(below)]), values: {} };
      }),
    );
    // The dealer's words, window by window: any X of the window leads there.
    for (let window = 0; window < windows; window++) {
      const expected: Words = new BigUint64Array(COUNT);
      const exponents = Float64Array.from(expected, (_, i) => {
        const masked = BigInt.asUintN(bits, BigInt(window) * height + first);
        const exponent = Number(indicesOf(i, masked).index + first) / 2 ** fracBits;
        return 2 ** WORD_FRAC_BITS * Math.exp(exponent / TEMPERATURE);
      });
      roundToWords(expected, exponents);
      const found = expected.map((_, i) => wordsOfWindows[i * windows + window]);
      compareWords(`${what}, dealt window ${window}`, found, 64, (i) => ({ term: constant(expected[i]), values: {} }));
    }
  }
}

/** The lemma for wires of these bits and any windows, and what must not hold for the widths in use. */
export function windowLemmas(
  rings: readonly number[],
  { exp: inUse }: Pick<WidthsInUse, "exp">,
  faults: WindowFaults = {},
): Lemma[] {
  const [least, most] = PROVED_WIDTHS.exp.bits;
  const wires = rings.filter((bits) => bits >= least && bits <= most);
  const label = ({ bits, windows }: WindowWidths): string => `${bits} bits in ${windows}`;
  const used = [...new Map(inUse.map((each) => [label(each), each])).values()];
  const ofHeight = (each: WindowWidths, fault: WindowFaults): Query =>
    exponentQuery(label(each), each.bits, constant(heightOf(each)), fault);
  const refuted = { expected: "refuted", gates: [], conform: null } as const;
  const widths = used.map(label).join(", ");
  return [
    {
      name: "windows",
      statement:
        "the window of the public word and the dealt exponent give x for every x of the interval, every mask, every start and any number of windows",
      expected: "proved",
      gates: ["exp"],
      widths: `k = ${spanOf(wires)}, any W`,
      queries: [...wires.map((bits) => exponentQuery(`k = ${bits}`, bits, word("s"), faults)), ...indexQueries()],
      async conform() {
        wires.forEach(countWindows);
        const cut = wires.filter((bits) => bits >= FEWEST_BITS && bits <= MOST_BITS);
        await compare(cut.flatMap((bits) => [2, 3, 7, 8].map((windows) => ({ bits, windows }))));
        await compare(used);
      },
    },
    {
      ...refuted,
      name: "windows: interval too long",
      statement: "the exponent is right one step above the interval",
      widths,
      queries: used.map((each) => ofHeight(each, { above: 1n })),
    },
    {
      ...refuted,
      name: "windows: interval too early",
      statement: "the exponent is right one step below the interval",
      widths,
      queries: used.map((each) => ofHeight(each, { below: 1n })),
    },
  ];
}

/** Wires that are compared whether a plan has them or not: all seven windows fit, and tables are small. */
const [FEWEST_BITS, MOST_BITS] = [6, 16];
