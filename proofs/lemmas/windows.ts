/**
 * Windows of the gate exp: the index arithmetic gives x. With X' = X - from mod 2^k, s = 2^k / W rounded up, the window w = floor(X' / s),
 * its last value top = (w + 1) s - 1, d = top - X' and the dealer's exponent c = (top - r mod 2^k) + from: x = c - d for every x in
 * [from, from + 2^k - s], every r and every `from`; d is an index of the public table, [0, s).
 *
 * The declared interval ends one unit below that. What is left to real numbers is e^c e^-d = e^x.
 */
import { exp, expTable } from "../../protocols/smpc/gates/exp.ts";
import type { InstructionOf } from "../../protocols/smpc/plan/instruction.ts";
import type { ValueInfo } from "../../protocols/smpc/plan/value.ts";
import { splitWords } from "../../shares/sharing.ts";
import { roundToWords } from "../../shares/table-kernels.ts";
import type { Words } from "../../shares/words.ts";
import { compareWords, edgeWords, spreadWords } from "../conformance.ts";
import { openShares, runGateCode } from "../gate-walk.ts";
import type { Lemma, Query } from "../lemma.ts";
import { add, atMost, constant, equal, evaluate, low, shiftedRight, subtract, times2, within, word } from "../term.ts";
import type { Term } from "../term.ts";
import type { Widths } from "../widths.ts";

type WindowWidths = Widths["windows"][number];

/** What may be got wrong, so that a test can see the lemma fail: units that x may go below and above its interval. */
export interface WindowFaults {
  readonly below?: bigint;
  readonly above?: bigint;
}

/** s: values of a window; the last one may have fewer. */
const heightOf = ({ bits, windows }: WindowWidths): bigint => BigInt(Math.ceil(2 ** bits / windows));

/** log2(s), or null where that isn't whole. */
function placeBits({ bits, windows }: WindowWidths): number | null {
  const place = bits - Math.log2(windows);
  return Number.isInteger(place) ? place : null;
}

/** What the parties and the dealer index by, of the public word X, the mask and `from` in units. */
interface WindowTerms {
  readonly window: Term;
  /** d, index of the public table. */
  readonly below: Term;
  /** top - r mod 2^k of the window, the dealer's index. */
  readonly index: Term;
}

/**
 * The indices as the gate computes them. Where the quotient floor(X' / s) is no shift, it is the word "w", and d the word "d": a division
 * would take the solver minutes, and all that the exponent needs of d is that it is at most s - 1.
 */
function windowTerms(masked: Term, mask: Term, first: Term, widths: WindowWidths): WindowTerms {
  const place = placeBits(widths);
  const moved = low(widths.bits, subtract(masked, first));
  if (place === null) {
    const below = word("d");
    return { window: word("w"), below, index: low(widths.bits, subtract(add(moved, below), mask)) };
  }
  const window = shiftedRight(place, moved);
  const top = subtract(times2(place, add(window, constant(1))), constant(1));
  return { window, below: subtract(top, moved), index: low(widths.bits, subtract(top, mask)) };
}

function windowQueries(widths: WindowWidths, { below = 0n, above = 0n }: WindowFaults = {}): Query[] {
  const [x, r, first] = [word("x"), word("r"), word("from")];
  const { bits } = widths;
  const size = heightOf(widths);
  const terms = windowTerms(low(bits, add(x, r)), r, first, widths);
  const assume = [
    within(subtract(x, first), -below, (1n << BigInt(bits)) - size + above, 64),
    atMost(r, (1n << BigInt(bits)) - 1n),
  ];
  const isShift = placeBits(widths) !== null;
  if (!isShift) assume.push(atMost(terms.below, size - 1n));
  const at = `k = ${bits}, W = ${widths.windows}`;
  const exponent = equal(subtract(add(terms.index, first), terms.below), x);
  const queries: Query[] = [{ name: `exponent, ${at}`, wordBits: 64, assume, claim: exponent }];
  if (isShift)
    queries.push(
      { name: `table index, ${at}`, wordBits: 64, assume, claim: atMost(terms.below, size - 1n) },
      { name: `window, ${at}`, wordBits: 64, assume, claim: atMost(terms.window, BigInt(widths.windows) - 1n) },
    );
  return queries;
}

const TEMPERATURE = 64;
const WORD_FRAC_BITS = 20;
const COUNT = 96;

/** Compares the indices with those that the gate's dealer and parties use, through the tables. Throws Error where they differ. */
function conform(all: readonly WindowWidths[]): void {
  for (const widths of all) {
    const { bits, windows, from, fracBits } = widths;
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
    } = runGateCode(exp, instruction, {
      parties: 2,
      values,
      random,
      wires: { 0: wire },
    });
    const table = expTable(instruction, values[0]).make();
    const first = BigInt(Math.ceil(from * 2 ** fracBits));
    const terms = windowTerms(word("X"), word("r"), word("from"), widths);
    const indicesOf = (i: number, masked: bigint): Record<"window" | "below" | "index", bigint> => {
      const moved = BigInt.asUintN(bits, masked - first);
      const window = moved / heightOf(widths);
      const below = (window + 1n) * heightOf(widths) - 1n - moved;
      const at = { X: masked, r: wire.mask[i], from: first, w: window, d: below };
      return {
        window: evaluate(terms.window, at, 64),
        below: evaluate(terms.below, at, 64),
        index: evaluate(terms.index, at, 64),
      };
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
        const masked = BigInt.asUintN(bits, BigInt(window) * heightOf(widths) + first);
        const exponent = Number(indicesOf(i, masked).index + first) / 2 ** fracBits;
        return 2 ** WORD_FRAC_BITS * Math.exp(exponent / TEMPERATURE);
      });
      roundToWords(expected, exponents);
      const found = expected.map((_, i) => wordsOfWindows[i * windows + window]);
      compareWords(`${what}, dealt window ${window}`, found, 64, (i) => ({ term: constant(expected[i]), values: {} }));
    }
  }
}

/** The lemma and what must not hold, for these widths. */
export function windowLemmas({ windows: all }: Pick<Widths, "windows">, faults: WindowFaults = {}): Lemma[] {
  const cut = [...new Map(all.map((each) => [`${each.bits} bits in ${each.windows}`, each])).entries()];
  const widths = cut.map(([text]) => text).join(", ");
  const refuted = { expected: "refuted", conform: null } as const;
  return [
    {
      name: "windows",
      statement:
        "the window of the public word and the dealt exponent give x for every x of the interval, every mask and every start",
      expected: "proved",
      widths,
      queries: cut.flatMap(([, each]) => windowQueries(each, faults)),
      conform: () => conform(all),
    },
    {
      ...refuted,
      name: "windows: interval too long",
      statement: "the exponent is right one step above the interval",
      widths,
      queries: cut.map(([, each]) => windowQueries(each, { above: 1n })[0]),
    },
    {
      ...refuted,
      name: "windows: interval too early",
      statement: "the exponent is right one step below the interval",
      widths,
      queries: cut.map(([, each]) => windowQueries(each, { below: 1n })[0]),
    },
  ];
}
