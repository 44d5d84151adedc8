/**
 * Shift: every party shifts its own share of x in Z_{2^K} right by t (party 0 adds n 2^(t-1) before) and reads it in Z_{2^(K-t)}. The sum
 * is x 2^-t rounded, up to floor(n / 2) units, and never off by a wrap: all of it mod 2^(K-t), whatever x and the shares are.
 *
 * Asked of the solver in four steps, because adding up n words and shifting the sum is hard for it as one question:
 *   remainder  2^t out_i = s_i + c_i - l_i mod 2^K with l_i in [0, 2^t), c_i what party i adds
 *   sum        so 2^t (out_0 + ... + out_{n-1}) - x is in (-n 2^(t-1), n 2^(t-1)] mod 2^K
 *   nearest    for the nearest integer T of the clear reading, 2^t T - x is in (-2^(t-1), 2^(t-1)]
 *   units      so out_0 + ... + out_{n-1} - T is at most floor(n / 2) units either way, mod 2^(K-t)
 * The same as one question is asked in a small ring, and of every negative lemma.
 */
import { shift } from "../../protocols/smpc/gates/shift.ts";
import type { ValueInfo } from "../../protocols/smpc/plan/value.ts";
import { compareWords, spreadWords } from "../conformance.ts";
import { runGateCode } from "../gate-walk.ts";
import type { Lemma, Query } from "../lemma.ts";
import { add, atMost, constant, equal, low, shiftedRight, subtract, times2, within, word, type Term } from "../term.ts";
import type { Widths } from "../widths.ts";

type ShiftWidths = Widths["shifts"][number];

/** What may be got wrong, so that a test can see the lemma fail. */
export interface ShiftFaults {
  /** Added to the units that the gate declares. */
  readonly moreUnits?: number;
  /** The insecure local truncation: out is read in the ring of x. */
  readonly keepsRing?: boolean;
}

const PARTIES = [2, 3, 4] as const;
/** Of the whole statement as one question. */
const SMALL: ShiftWidths = { ringBits: 8, shiftBits: 3, outBits: 5 };

/** A party's share of the result, as a term of its share. */
export function shiftedShare(share: Term, party: number, parties: number, { ringBits, shiftBits }: ShiftWidths): Term {
  return shiftedRight(shiftBits, low(ringBits, add(share, constant(addedBy(party, parties, shiftBits)))));
}

const addedBy = (party: number, parties: number, shiftBits: number): bigint =>
  party === 0 ? BigInt(parties) << BigInt(shiftBits - 1) : 0n;

/** Nearest integer to x 2^-t, ties up, right mod 2^(K - t). */
const nearest = (x: Term, { ringBits, shiftBits }: ShiftWidths): Term =>
  shiftedRight(shiftBits, low(ringBits, add(x, constant(1n << BigInt(shiftBits - 1)))));

const instruction = ({ shiftBits }: ShiftWidths) => ({ gate: "shift", x: 0, out: 1, bits: shiftBits }) as const;
const share = (ringBits: number, rows = 1): ValueInfo => ({ kind: "share", rows, columns: 1, fracBits: 0, ringBits });

function unitsOf(widths: ShiftWidths, parties: number): number {
  const values = [share(widths.ringBits), share(widths.outBits)];
  return Math.floor(shift.errorUnits(instruction(widths), { parties, info: (id) => values[id] }));
}

const label = (parties: number, { ringBits, shiftBits }: ShiftWidths): string =>
  `n = ${parties}, ${ringBits} >> ${shiftBits}`;

/** The whole statement as one question. */
export function wholeShift(parties: number, widths: ShiftWidths, faults: ShiftFaults = {}): Query {
  const shares = Array.from({ length: parties }, (_, party) => word(`s${party}`));
  const sum = add(...shares.map((each, party) => shiftedShare(each, party, parties, widths)));
  const units = BigInt(unitsOf(widths, parties) + (faults.moreUnits ?? 0));
  const outBits = faults.keepsRing === true ? widths.ringBits : widths.ringBits - widths.shiftBits;
  const truth = faults.keepsRing === true ? signedNearest(add(...shares), widths) : nearest(add(...shares), widths);
  return {
    name: `whole, ${label(parties, widths)}`,
    wordBits: 64,
    assume: [],
    claim: within(subtract(sum, truth), -units, units, outBits),
  };
}

/** Nearest integer to the signed x in its whole ring: x is read as signed, as who keeps the ring must. */
function signedNearest(x: Term, widths: ShiftWidths): Term {
  const half = 1n << BigInt(widths.ringBits - 1);
  const lifted = shiftedRight(widths.shiftBits, low(widths.ringBits, add(x, constant(half))));
  return subtract(lifted, constant(half >> BigInt(widths.shiftBits)));
}

function steps(parties: number, widths: ShiftWidths, { moreUnits = 0 }: ShiftFaults): Query[] {
  const { ringBits, shiftBits } = widths;
  const at = label(parties, widths);
  const t = BigInt(shiftBits);
  const units = BigInt(unitsOf(widths, parties) + moreUnits);
  const half = BigInt(parties) << (t - 1n);
  const remainder = (party: number): Query => {
    const shifted = add(word("s"), constant(addedBy(party, parties, shiftBits)));
    return {
      name: `remainder of party ${party}, ${at}`,
      wordBits: 64,
      assume: [],
      claim: equal(
        low(ringBits, times2(shiftBits, shiftedShare(word("s"), party, parties, widths))),
        low(ringBits, subtract(shifted, low(shiftBits, shifted))),
      ),
    };
  };
  const indices = Array.from({ length: parties }, (_, party) => party);
  const [outs, shares, rests] = ["o", "s", "l"].map((name) => indices.map((party) => word(`${name}${party}`)));
  return [
    remainder(0),
    remainder(1),
    {
      name: `sum, ${at}`,
      wordBits: ringBits,
      assume: indices.flatMap((party) => [
        equal(
          times2(shiftBits, outs[party]),
          add(shares[party], constant(addedBy(party, parties, shiftBits)), subtract(constant(0), rests[party])),
        ),
        atMost(rests[party], (1n << t) - 1n),
      ]),
      claim: within(subtract(times2(shiftBits, add(...outs)), add(...shares)), -half + 1n, half, ringBits),
    },
    {
      name: `nearest, ${at}`,
      wordBits: 64,
      assume: [],
      claim: within(
        subtract(times2(shiftBits, nearest(word("x"), widths)), word("x")),
        -(1n << (t - 1n)) + 1n,
        1n << (t - 1n),
        ringBits,
      ),
    },
    {
      name: `units, ${at}`,
      wordBits: ringBits,
      assume: [
        // 2^t difference = (2^t out - x) - (2^t T - x)
        equal(times2(shiftBits, word("difference")), subtract(word("error"), word("rounding"))),
        within(word("error"), -half + 1n, half, ringBits),
        within(word("rounding"), -(1n << (t - 1n)) + 1n, 1n << (t - 1n), ringBits),
      ],
      claim: within(word("difference"), -units, units, ringBits - shiftBits),
    },
  ];
}

/** Compares `shiftedShare` with what the gate's parties compute, on words of all sizes and the edges. Throws Error where they differ. */
function conform(all: readonly ShiftWidths[]): void {
  for (const widths of all)
    for (const parties of PARTIES) {
      const count = 64;
      const shares = Array.from({ length: parties }, (_, party) => spreadWords(count, 64, party));
      const { outputs } = runGateCode(shift, instruction(widths), {
        parties,
        values: [share(widths.ringBits, count), share(widths.outBits, count)],
        random: { fillWords: () => {} },
        shares: { 0: shares },
      });
      outputs.forEach((out, party) =>
        compareWords(`shift, ${label(parties, widths)}, party ${party}`, out, widths.outBits, (i) => ({
          term: shiftedShare(word("s"), party, parties, widths),
          values: { s: shares[party][i] },
        })),
      );
    }
}

/** The lemma and what must not hold, for these widths. */
export function shiftLemmas({ shifts }: Pick<Widths, "shifts">, faults: ShiftFaults = {}): Lemma[] {
  const widths = shifts.map(({ ringBits, shiftBits }) => `${ringBits} >> ${shiftBits}`).join(", ");
  const refuted = { expected: "refuted", conform: null } as const;
  const small = PARTIES.map((parties) => wholeShift(parties, SMALL, faults));
  return [
    {
      name: "shift",
      statement:
        "shares of K bits shifted right by t add up to x / 2^t mod 2^(K - t), off by the declared floor(n / 2) units at most and never by a wrap",
      expected: "proved",
      widths: `n = 2, 3, 4; K >> t = ${widths}`,
      queries: [...small, ...shifts.flatMap((each) => PARTIES.flatMap((parties) => steps(parties, each, faults)))],
      conform: () => conform(shifts),
    },
    {
      ...refuted,
      name: "shift: one unit less",
      statement: "shifted shares are off by less than the declared units",
      widths: `n = 2, 3, 4; ${widths}`,
      queries: [SMALL, ...shifts].flatMap((each) =>
        PARTIES.map((parties) => wholeShift(parties, each, { moreUnits: -1 })),
      ),
    },
    {
      ...refuted,
      name: "shift: the ring is kept",
      statement:
        "the local truncation that reads the shifted shares in the ring of x is off by the declared units at most",
      widths: `n = 2; ${widths}`,
      queries: [SMALL, ...shifts].map((each) => wholeShift(2, each, { keepsRing: true })),
    },
  ];
}
